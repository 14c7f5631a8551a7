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

  labels = { for role in local.roles : role => merge(var.tags, {
    dst-cluster = var.cluster_name
    dst-role    = role
  }) }

  # Stateful groups have a fixed size.
  counts = { coordinator = var.coordinator_count, storage = var.storage_count }
}

module "user_data" {
  source   = "../common"
  for_each = toset(local.roles)

  cloud              = "gcp"
  role               = each.key
  cluster_name       = var.cluster_name
  coordinator_count  = var.coordinator_count
  form_cluster       = var.form_cluster
  replication_factor = var.replication_factor
  root_access_key    = var.root_access_key
  s3_region          = var.s3_region
  secrets            = { for name, id in local.secrets[each.key] : name => "gcp:${id}/versions/latest" }
  data_disk          = local.data_disk_gb[each.key] > 0 ? ["/dev/disk/by-id/google-dstorage"] : []
  deb_url            = var.deb_url
  deb_sha256         = var.deb_sha256
}

resource "google_compute_region_instance_template" "node" {
  provider = google-beta
  for_each = toset(local.roles)

  project      = var.project
  region       = var.region
  name_prefix  = "${local.names[each.key]}-"
  machine_type = local.instance_types[each.key]
  labels       = local.labels[each.key]

  disk {
    boot         = true
    auto_delete  = true
    source_image = var.image_id
    disk_size_gb = 20
    disk_type    = "pd-balanced"
    labels       = local.labels[each.key]
  }

  dynamic "disk" {
    for_each = local.data_disk_gb[each.key] > 0 ? [local.data_disk_gb[each.key]] : []
    content {
      # The machine finds it by this name, and the group keeps it by this name.
      device_name  = "dstorage"
      type         = "PERSISTENT"
      mode         = "READ_WRITE"
      disk_size_gb = disk.value
      disk_type    = var.data_disk_type
      auto_delete  = true
      labels       = local.labels[each.key]
    }
  }

  network_interface {
    subnetwork = var.subnet_id
  }

  service_account {
    email = google_service_account.node[each.key].email
    # What the node may do is in its roles, not in its scopes.
    scopes = ["https://www.googleapis.com/auth/cloud-platform"]
  }

  # The node sees that its machine is to stop, and drains first.
  scheduling {
    graceful_shutdown {
      enabled = true
      max_duration {
        seconds = var.drain_timeout_s
      }
    }
  }

  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  metadata = {
    user-data              = module.user_data[each.key].user_data
    enable-oslogin         = "TRUE"
    block-project-ssh-keys = "TRUE"
  }

  lifecycle {
    create_before_destroy = true
  }
}

# /health is the process and its disk, never the quorum: a partition must not replace all machines.
resource "google_compute_region_health_check" "node" {
  for_each = { healing = "/health", serving = var.health_check_path }

  project             = var.project
  region              = var.region
  name                = "${var.cluster_name}-${each.key}"
  check_interval_sec  = 10
  timeout_sec         = 5
  healthy_threshold   = 2
  unhealthy_threshold = each.key == "healing" ? 6 : 3

  http_health_check {
    port         = 9000
    request_path = each.value
  }
}

# Coordinators and storage nodes keep their name and their disk when they are made anew.
resource "google_compute_region_instance_group_manager" "stateful" {
  for_each = local.counts

  project                          = var.project
  region                           = var.region
  name                             = local.names[each.key]
  base_instance_name               = local.names[each.key]
  target_size                      = each.value
  distribution_policy_zones        = var.zones
  distribution_policy_target_shape = "EVEN"
  wait_for_instances               = false

  version {
    instance_template = google_compute_region_instance_template.node[each.key].id
  }

  stateful_disk {
    device_name = "dstorage"
    # Gone for good with the instance only when the group is made smaller.
    delete_rule = "ON_PERMANENT_INSTANCE_DELETION"
  }

  # A regional group may take down as many at once as it has zones, and not fewer. So a change waits
  # until ./roll applies it to one machine after the other.
  update_policy {
    type                           = "OPPORTUNISTIC"
    minimal_action                 = "REPLACE"
    most_disruptive_allowed_action = "REPLACE"
    replacement_method             = "RECREATE"
    max_surge_fixed                = 0
    max_unavailable_fixed          = length(var.zones)
    instance_redistribution_type   = "NONE"
  }

  auto_healing_policies {
    health_check      = google_compute_region_health_check.node["healing"].id
    initial_delay_sec = 900
  }

  # What an instance needs from its first second.
  depends_on = [
    google_project_iam_member.discovery,
    google_secret_manager_secret_iam_member.node,
    google_compute_firewall.health_checks,
  ]
}

resource "google_compute_region_instance_group_manager" "gateway" {
  project                          = var.project
  region                           = var.region
  name                             = local.names["gateway"]
  base_instance_name               = local.names["gateway"]
  distribution_policy_zones        = var.zones
  distribution_policy_target_shape = "EVEN"
  wait_for_instances               = false

  version {
    instance_template = google_compute_region_instance_template.node["gateway"].id
  }

  named_port {
    name = "s3"
    port = 9000
  }

  update_policy {
    type                  = "PROACTIVE"
    minimal_action        = "REPLACE"
    replacement_method    = "SUBSTITUTE"
    max_surge_fixed       = length(var.zones)
    max_unavailable_fixed = 0
  }

  auto_healing_policies {
    health_check      = google_compute_region_health_check.node["healing"].id
    initial_delay_sec = 600
  }

  depends_on = [
    google_project_iam_member.discovery,
    google_secret_manager_secret_iam_member.node,
    google_compute_firewall.health_checks,
  ]
}

resource "google_compute_region_autoscaler" "gateway" {
  project = var.project
  region  = var.region
  name    = local.names["gateway"]
  target  = google_compute_region_instance_group_manager.gateway.id

  autoscaling_policy {
    min_replicas    = var.gateway_min
    max_replicas    = var.gateway_max
    cooldown_period = 120
    cpu_utilization {
      target = 0.6
    }
  }
}
