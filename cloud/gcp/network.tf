locals {
  emails = [for role in local.roles : google_service_account.node[role].email]
}

resource "google_compute_firewall" "nodes" {
  project                 = var.project
  name                    = "${var.cluster_name}-nodes"
  description             = "Nodes among themselves"
  network                 = var.network_id
  direction               = "INGRESS"
  source_service_accounts = local.emails
  target_service_accounts = local.emails

  allow {
    protocol = "tcp"
    ports    = ["9000"]
  }
}

resource "google_compute_firewall" "clients" {
  count = length(var.client_cidrs) > 0 ? 1 : 0

  project                 = var.project
  name                    = "${var.cluster_name}-clients"
  description             = "S3 clients, whose addresses the load balancer keeps"
  network                 = var.network_id
  direction               = "INGRESS"
  source_ranges           = var.client_cidrs
  target_service_accounts = [google_service_account.node["gateway"].email]

  allow {
    protocol = "tcp"
    ports    = ["9000"]
  }
}

resource "google_compute_firewall" "health_checks" {
  project                 = var.project
  name                    = "${var.cluster_name}-health-checks"
  description             = "Google's health checks, of the groups and of the load balancer"
  network                 = var.network_id
  direction               = "INGRESS"
  source_ranges           = ["130.211.0.0/22", "35.191.0.0/16"]
  target_service_accounts = local.emails

  allow {
    protocol = "tcp"
    ports    = ["9000"]
  }
}

resource "google_compute_firewall" "ssh" {
  count = length(var.admin_cidrs) > 0 ? 1 : 0

  project                 = var.project
  name                    = "${var.cluster_name}-ssh"
  description             = "SSH"
  network                 = var.network_id
  direction               = "INGRESS"
  source_ranges           = var.admin_cidrs
  target_service_accounts = local.emails

  allow {
    protocol = "tcp"
    ports    = ["22"]
  }
}

resource "google_compute_region_backend_service" "gateway" {
  project                         = var.project
  region                          = var.region
  name                            = local.names["gateway"]
  load_balancing_scheme           = "INTERNAL"
  protocol                        = "TCP"
  health_checks                   = [google_compute_region_health_check.node["serving"].id]
  connection_draining_timeout_sec = 60

  backend {
    group          = google_compute_region_instance_group_manager.gateway.instance_group
    balancing_mode = "CONNECTION"
  }
}

resource "google_compute_forwarding_rule" "gateway" {
  project               = var.project
  region                = var.region
  name                  = local.names["gateway"]
  load_balancing_scheme = "INTERNAL"
  ip_protocol           = "TCP"
  ports                 = ["9000"]
  network               = var.network_id
  subnetwork            = var.subnet_id
  backend_service       = google_compute_region_backend_service.gateway.id
  labels                = local.labels["gateway"]
}
