mock_provider "aws" {
  override_data {
    target = data.aws_partition.current
    values = { partition = "aws" }
  }
  override_data {
    target = data.aws_region.current
    values = { name = "eu-west-1" }
  }
  override_data {
    target = data.aws_caller_identity.current
    values = { account_id = "123456789012" }
  }
}

variables {
  cluster_name              = "c1"
  vpc_id                    = "vpc-1"
  subnet_ids                = ["subnet-a", "subnet-b", "subnet-c"]
  client_cidrs              = ["10.0.0.0/16"]
  image_id                  = "ami-1"
  storage_disk_gb           = 500
  cluster_secret            = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:cluster-AbCdEf"
  storage_join_token_secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:storage-AbCdEf"
  gateway_join_token_secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gateway-AbCdEf"
  encryption_key_secret     = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:encryption-AbCdEf"
  root_secret_key_secret    = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:root-AbCdEf"
}

run "metadata_service" {
  command = apply

  assert {
    condition     = alltrue([for t in aws_launch_template.node : t.metadata_options[0].http_tokens == "required"])
    error_message = "IMDSv2 must be required."
  }
  assert {
    condition     = alltrue([for t in aws_launch_template.node : t.metadata_options[0].http_put_response_hop_limit == 1])
    error_message = "The metadata service must not answer beyond the machine itself."
  }
}

run "tags" {
  command = apply

  assert {
    condition = alltrue([for role, t in aws_launch_template.node : alltrue([
      for s in t.tag_specifications : s.tags["dst-cluster"] == "c1" && s.tags["dst-role"] == role
    ])])
    error_message = "Instances are found by dst-cluster and dst-role."
  }
  assert {
    condition = alltrue([for role, g in aws_autoscaling_group.stateful : contains(
      [for t in g.tag : "${t.key}=${t.value}=${t.propagate_at_launch}"], "dst-role=${role}=true",
    )])
    error_message = "The groups must hand their tags to instances."
  }
}

run "user_data" {
  command = apply

  assert {
    condition = !strcontains(base64decode(aws_launch_template.node["storage"].user_data), "cluster-AbCdEf") && !strcontains(
    base64decode(aws_launch_template.node["gateway"].user_data), "cluster-AbCdEf")
    error_message = "Only coordinators know where the cluster secret is."
  }
  assert {
    condition     = strcontains(base64decode(aws_launch_template.node["coordinator"].user_data), "cluster-secret aws:arn:aws:secretsmanager:")
    error_message = "Coordinators fetch the cluster secret."
  }
  assert {
    condition     = strcontains(base64decode(aws_launch_template.node["coordinator"].user_data), "FORM_CLUSTER=never\n")
    error_message = "No cluster forms by default."
  }
  assert {
    condition     = alltrue([for t in aws_launch_template.node : length(base64decode(t.user_data)) < 16384])
    error_message = "EC2 takes 16 KiB of user-data."
  }
}

run "identities" {
  command = apply

  assert {
    condition     = !strcontains(aws_iam_role_policy.node["storage"].policy, "cluster-AbCdEf") && !strcontains(aws_iam_role_policy.node["gateway"].policy, "cluster-AbCdEf")
    error_message = "Only coordinators may read the cluster secret."
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.node["coordinator"].policy, "encryption-AbCdEf") && !strcontains(aws_iam_role_policy.node["storage"].policy, "encryption-AbCdEf")
    error_message = "Only gateways may read the encryption key."
  }
  assert {
    condition = alltrue([for p in aws_iam_role_policy.node : toset(flatten([
      for s in jsondecode(p.policy).Statement : s.Action
      ])) == toset([
      "ec2:DescribeInstances", "autoscaling:CompleteLifecycleAction",
      "autoscaling:RecordLifecycleActionHeartbeat", "secretsmanager:GetSecretValue",
    ])])
    error_message = "An identity may do something else than what a node does."
  }
  assert {
    condition = alltrue([for p in aws_iam_role_policy.node : alltrue([
      for s in jsondecode(p.policy).Statement : s.Sid == "Discovery" || !contains(s.Resource, "*")
    ])])
    error_message = "Only ec2:DescribeInstances is for all resources."
  }
}

run "key" {
  command = apply
  variables {
    kms_key = "arn:aws:kms:eu-west-1:123456789012:key/k"
  }

  assert {
    condition = alltrue([for p in aws_iam_role_policy.node : contains([
      for s in jsondecode(p.policy).Statement : s.Resource if s.Sid == "Decrypt"
    ], ["arn:aws:kms:eu-west-1:123456789012:key/k"])])
    error_message = "A role that can't decrypt its secret can't start."
  }
}

run "network" {
  command = apply

  assert {
    condition     = toset([for r in aws_vpc_security_group_ingress_rule.clients : r.cidr_ipv4]) == toset(["10.0.0.0/16"])
    error_message = "Clients are those of client_cidrs."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.nodes.from_port == 9000 && aws_vpc_security_group_ingress_rule.nodes.to_port == 9000 && aws_vpc_security_group_ingress_rule.nodes.referenced_security_group_id == aws_security_group.nodes.id
    error_message = "Nodes reach each other on 9000, and nobody else does."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.gateway.referenced_security_group_id == aws_security_group.load_balancer.id
    error_message = "Clients reach gateways through the load balancer only."
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.ssh) == 0
    error_message = "SSH is closed by default."
  }
  assert {
    condition     = aws_lb.gateway.internal && aws_lb_target_group.gateway.health_check[0].path == "/health"
    error_message = "The load balancer is internal and asks /health."
  }
}

run "rolling" {
  command = apply

  assert {
    condition = alltrue([for g in aws_autoscaling_group.stateful :
      g.instance_refresh[0].preferences[0].min_healthy_percentage == 100 &&
      g.instance_refresh[0].preferences[0].max_healthy_percentage == 101 &&
      g.instance_maintenance_policy[0].min_healthy_percentage == 100 &&
      g.instance_maintenance_policy[0].max_healthy_percentage == 101
    ])
    error_message = "One node at a time, and the new one first."
  }
  assert {
    condition     = alltrue([for g in aws_autoscaling_group.stateful : g.health_check_type == "EC2" && contains(g.suspended_processes, "AZRebalance")])
    error_message = "Stateful nodes are ended neither for quorum nor for balance."
  }
  assert {
    condition     = alltrue([for g in aws_autoscaling_group.stateful : g.availability_zone_distribution[0].capacity_distribution_strategy == "balanced-only"])
    error_message = "Zones must be balanced."
  }
  assert {
    condition     = alltrue([for role, g in aws_autoscaling_group.stateful : g.min_size == g.desired_capacity && g.desired_capacity == { coordinator = 3, storage = 5 }[role]])
    error_message = "Stateful groups have a fixed size."
  }
  assert {
    condition = length(aws_autoscaling_lifecycle_hook.terminating) == 3 && alltrue([for h in aws_autoscaling_lifecycle_hook.terminating :
      h.name == "dst-terminating" && h.lifecycle_transition == "autoscaling:EC2_INSTANCE_TERMINATING" && h.heartbeat_timeout == 840
    ])
    error_message = "Every role drains before it is terminated."
  }
}

run "disks" {
  command = apply

  assert {
    condition     = alltrue([for role in ["coordinator", "storage"] : aws_launch_template.node[role].block_device_mappings[0].ebs[0].encrypted == "true"])
    error_message = "Data disks are encrypted."
  }
  assert {
    condition     = aws_launch_template.node["storage"].block_device_mappings[0].ebs[0].volume_size == 500 && length(aws_launch_template.node["gateway"].block_device_mappings) == 0
    error_message = "Storage nodes have the disk that was asked for, gateways none."
  }
}

run "readiness_replaces_no_gateway" {
  command = apply
  variables {
    health_check_path = "/ready"
  }

  assert {
    condition     = aws_autoscaling_group.gateway.health_check_type == "EC2"
    error_message = "Without a quorum no gateway is ready; replacing them would not help."
  }
}

run "two_zones_are_refused" {
  command = plan
  variables {
    subnet_ids = ["subnet-a", "subnet-b"]
  }
  expect_failures = [var.subnet_ids]
}
