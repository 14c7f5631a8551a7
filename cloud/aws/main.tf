locals {
  roles = ["coordinator", "storage", "gateway"]
  names = { for role in local.roles : role => "${var.cluster_name}-${role}" }

  # What each role may read, by the name of its credential.
  secrets = {
    coordinator = { cluster-secret = var.cluster_secret }
    storage     = { join-token = var.storage_join_token_secret }
    gateway = {
      join-token      = var.gateway_join_token_secret
      encryption-key  = var.encryption_key_secret
      root-secret-key = var.root_secret_key_secret
    }
  }

  instance_types = {
    coordinator = var.coordinator_instance_type
    storage     = var.storage_instance_type
    gateway     = var.gateway_instance_type
  }

  # GiB; 0 is none.
  data_disk_gb = {
    coordinator = var.coordinator_disk_gb
    storage     = var.storage_disk_gb
    gateway     = 0
  }

  tags = { for role in local.roles : role => merge(var.tags, {
    Name        = local.names[role]
    dst-cluster = var.cluster_name
    dst-role    = role
  }) }

  # Stateful groups have a fixed size.
  counts = { coordinator = var.coordinator_count, storage = var.storage_count }
}

module "user_data" {
  source   = "../common"
  for_each = toset(local.roles)

  cloud              = "aws"
  role               = each.key
  cluster_name       = var.cluster_name
  coordinator_count  = var.coordinator_count
  form_cluster       = var.form_cluster
  replication_factor = var.replication_factor
  root_access_key    = var.root_access_key
  s3_region          = var.s3_region
  secrets            = { for name, arn in local.secrets[each.key] : name => "aws:${arn}" }
  # NVMe names follow the order in which disks appear, so the data disk is the one that is free.
  data_disk  = local.data_disk_gb[each.key] > 0 ? ["auto"] : []
  deb_url    = var.deb_url
  deb_sha256 = var.deb_sha256
}

resource "aws_launch_template" "node" {
  for_each = toset(local.roles)

  name                   = local.names[each.key]
  image_id               = var.image_id
  instance_type          = local.instance_types[each.key]
  key_name               = var.key_name
  ebs_optimized          = true
  update_default_version = true
  user_data              = base64encode(module.user_data[each.key].user_data)
  vpc_security_group_ids = concat(
    [aws_security_group.nodes.id],
    each.key == "gateway" ? [aws_security_group.gateway.id] : [],
  )

  iam_instance_profile {
    name = aws_iam_instance_profile.node[each.key].name
  }

  # IMDSv2 only, and not for what is a hop further, such as containers.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  dynamic "block_device_mappings" {
    for_each = local.data_disk_gb[each.key] > 0 ? [local.data_disk_gb[each.key]] : []
    content {
      device_name = "/dev/sdf"
      ebs {
        volume_size = block_device_mappings.value
        volume_type = var.data_disk_type
        encrypted   = true
        # A replacement is filled again from the other copies; nothing ever attaches the old volume.
        delete_on_termination = true
      }
    }
  }

  dynamic "tag_specifications" {
    for_each = ["instance", "volume"]
    content {
      resource_type = tag_specifications.value
      tags          = local.tags[each.key]
    }
  }

  tags = local.tags[each.key]
}

# Coordinators and storage nodes: replaced one at a time, the new one first.
resource "aws_autoscaling_group" "stateful" {
  for_each = local.counts

  name                = local.names[each.key]
  vpc_zone_identifier = var.subnet_ids
  min_size            = each.value
  desired_capacity    = each.value
  # One more, while a new node stands beside the one it replaces.
  max_size = each.value + 1
  # The instance runs, not more: a group that asked about quorum would replace all at a partition.
  health_check_type         = "EC2"
  default_instance_warmup   = var.warmup_s
  wait_for_capacity_timeout = "0"
  # A healthy node is never ended for balance between zones.
  suspended_processes = ["AZRebalance"]

  launch_template {
    id      = aws_launch_template.node[each.key].id
    version = aws_launch_template.node[each.key].latest_version
  }

  availability_zone_distribution {
    capacity_distribution_strategy = "balanced-only"
  }

  instance_maintenance_policy {
    min_healthy_percentage = 100
    max_healthy_percentage = 101
  }

  # 100 to 101 per cent is one more than the group has, up to a hundred nodes.
  instance_refresh {
    strategy = "Rolling"
    preferences {
      min_healthy_percentage       = 100
      max_healthy_percentage       = 101
      instance_warmup              = tostring(var.warmup_s)
      skip_matching                = true
      auto_rollback                = true
      scale_in_protected_instances = "Wait"
    }
  }

  dynamic "tag" {
    for_each = local.tags[each.key]
    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  # What an instance needs from its first second, and as long as it lives.
  depends_on = [aws_iam_role_policy.node]
}

resource "aws_autoscaling_group" "gateway" {
  name                = local.names["gateway"]
  vpc_zone_identifier = var.subnet_ids
  min_size            = var.gateway_min
  max_size            = var.gateway_max
  # /ready is no reason to replace a machine: without a quorum no gateway is ready.
  health_check_type         = var.health_check_path == "/health" ? "ELB" : "EC2"
  health_check_grace_period = 600
  default_instance_warmup   = 120
  wait_for_capacity_timeout = "0"
  target_group_arns         = [aws_lb_target_group.gateway.arn]

  launch_template {
    id      = aws_launch_template.node["gateway"].id
    version = aws_launch_template.node["gateway"].latest_version
  }

  instance_maintenance_policy {
    min_healthy_percentage = 100
    max_healthy_percentage = 110
  }

  instance_refresh {
    strategy = "Rolling"
    preferences {
      min_healthy_percentage = 100
      max_healthy_percentage = 110
      instance_warmup        = "120"
      skip_matching          = true
      auto_rollback          = true
    }
  }

  dynamic "tag" {
    for_each = local.tags["gateway"]
    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  depends_on = [aws_iam_role_policy.node]
}

resource "aws_autoscaling_policy" "gateway" {
  name                   = local.names["gateway"]
  autoscaling_group_name = aws_autoscaling_group.gateway.name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value = 60
    predefined_metric_specification {
      predefined_metric_type = "ASGAverageCPUUtilization"
    }
  }
}

# The node sees that it shall go, drains, extends the time-out by heartbeats and completes the hook.
resource "aws_autoscaling_lifecycle_hook" "terminating" {
  for_each = {
    coordinator = aws_autoscaling_group.stateful["coordinator"].name
    storage     = aws_autoscaling_group.stateful["storage"].name
    gateway     = aws_autoscaling_group.gateway.name
  }

  # dstnode knows it by this name.
  name                   = "dst-terminating"
  autoscaling_group_name = each.value
  lifecycle_transition   = "autoscaling:EC2_INSTANCE_TERMINATING"
  heartbeat_timeout      = var.drain_timeout_s
  # Of a node that says nothing any more. What it held is made anew from the other copies.
  default_result = "CONTINUE"
}
