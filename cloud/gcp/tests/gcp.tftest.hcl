mock_provider "google" {}
mock_provider "google-beta" {}

variables {
  cluster_name              = "c1"
  project                   = "p"
  region                    = "europe-west1"
  zones                     = ["europe-west1-b", "europe-west1-c", "europe-west1-d"]
  network_id                = "projects/p/global/networks/n"
  subnet_id                 = "projects/p/regions/europe-west1/subnetworks/s"
  client_cidrs              = ["10.0.0.0/16"]
  image_id                  = "projects/ubuntu-os-cloud/global/images/ubuntu"
  storage_disk_gb           = 500
  cluster_secret            = "projects/p/secrets/cluster"
  storage_join_token_secret = "projects/p/secrets/storage"
  gateway_join_token_secret = "projects/p/secrets/gateway"
  encryption_key_secret     = "projects/p/secrets/encryption"
  root_secret_key_secret    = "projects/p/secrets/root"
}

run "stateful" {
  command = apply

  assert {
    condition = alltrue([for g in google_compute_region_instance_group_manager.stateful :
      alltrue([for d in g.stateful_disk : d.device_name == "dstorage" && d.delete_rule == "ON_PERMANENT_INSTANCE_DELETION"]) && length(g.stateful_disk) == 1
    ])
    error_message = "The data disk must outlive its machine."
  }
  assert {
    condition = alltrue([for g in google_compute_region_instance_group_manager.stateful :
      g.update_policy[0].replacement_method == "RECREATE" && g.update_policy[0].max_surge_fixed == 0 &&
      g.update_policy[0].type == "OPPORTUNISTIC" && g.update_policy[0].instance_redistribution_type == "NONE"
    ])
    error_message = "Nothing replaces several stateful machines at once by itself."
  }
  assert {
    condition     = google_compute_region_instance_group_manager.stateful["coordinator"].target_size == 3 && google_compute_region_instance_group_manager.stateful["storage"].target_size == 5
    error_message = "Stateful groups have a fixed size."
  }
  assert {
    condition     = google_compute_region_health_check.node["healing"].http_health_check[0].request_path == "/health" && google_compute_region_health_check.node["healing"].http_health_check[0].port == 9000
    error_message = "Machines are healed by /health."
  }
}

run "readiness_heals_nothing" {
  command = apply
  variables {
    health_check_path = "/ready"
  }

  assert {
    condition     = google_compute_region_health_check.node["healing"].http_health_check[0].request_path == "/health" && google_compute_region_health_check.node["serving"].http_health_check[0].request_path == "/ready"
    error_message = "Without a quorum nothing is ready; replacing machines would not help."
  }
}

run "templates" {
  command = apply

  assert {
    condition = alltrue([for role, t in google_compute_region_instance_template.node :
    t.labels["dst-cluster"] == "c1" && t.labels["dst-role"] == role])
    error_message = "Instances are found by dst-cluster and dst-role."
  }
  assert {
    condition = alltrue([for t in google_compute_region_instance_template.node :
    t.scheduling[0].graceful_shutdown[0].enabled && t.scheduling[0].graceful_shutdown[0].max_duration[0].seconds == 840])
    error_message = "Machines wait for their node to drain."
  }
  assert {
    condition     = alltrue([for t in google_compute_region_instance_template.node : length(t.network_interface[0].access_config) == 0])
    error_message = "No machine has a public address."
  }
  assert {
    condition     = !strcontains(google_compute_region_instance_template.node["storage"].metadata["user-data"], "secrets/cluster") && strcontains(google_compute_region_instance_template.node["coordinator"].metadata["user-data"], "cluster-secret gcp:projects/p/secrets/cluster/versions/latest")
    error_message = "Only coordinators know where the cluster secret is."
  }
  assert {
    condition     = strcontains(google_compute_region_instance_template.node["coordinator"].metadata["user-data"], "FORM_CLUSTER=never\n")
    error_message = "No cluster forms by default."
  }
  assert {
    condition     = length(google_compute_region_instance_template.node["storage"].disk) == 2 && google_compute_region_instance_template.node["storage"].disk[1].disk_size_gb == 500 && length(google_compute_region_instance_template.node["gateway"].disk) == 1
    error_message = "Storage nodes have the disk that was asked for, gateways none."
  }
}

run "identities" {
  command = apply

  assert {
    condition     = google_project_iam_custom_role.discovery.permissions == toset(["compute.instances.list"])
    error_message = "Nodes list instances, and nothing else."
  }
  assert {
    condition = toset([for key, grant in google_secret_manager_secret_iam_member.node : "${key}=${grant.secret_id}"]) == toset([
      "coordinator/cluster-secret=projects/p/secrets/cluster",
      "storage/join-token=projects/p/secrets/storage",
      "gateway/join-token=projects/p/secrets/gateway",
      "gateway/encryption-key=projects/p/secrets/encryption",
      "gateway/root-secret-key=projects/p/secrets/root",
    ])
    error_message = "Each role reads its own secrets and no others."
  }
}

run "network" {
  command = apply

  assert {
    condition     = google_compute_firewall.clients[0].source_ranges == toset(["10.0.0.0/16"]) && length(google_compute_firewall.clients[0].target_service_accounts) == 1
    error_message = "Clients are those of client_cidrs, and reach gateways only."
  }
  assert {
    condition     = google_compute_firewall.nodes.source_service_accounts == toset(local.emails) && google_compute_firewall.nodes.target_service_accounts == toset(local.emails)
    error_message = "Nodes reach each other, and nobody else does."
  }
  assert {
    condition     = length(google_compute_firewall.ssh) == 0
    error_message = "SSH is closed by default."
  }
  assert {
    condition     = google_compute_forwarding_rule.gateway.load_balancing_scheme == "INTERNAL"
    error_message = "The load balancer is internal."
  }
}

run "a_secret_is_refused" {
  command = plan
  variables {
    cluster_secret = "0123456789abcdef"
  }
  expect_failures = [var.cluster_secret]
}
