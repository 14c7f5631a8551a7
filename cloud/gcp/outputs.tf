output "gateway_endpoint" {
  description = "Where S3 clients connect."
  value       = "http://${google_compute_forwarding_rule.gateway.ip_address}:9000"
}

output "discovery" {
  description = "Settings by which another machine finds the cluster."
  value       = "DISCOVERY_METHOD=gcp CLUSTER_NAME=${var.cluster_name}"
}

output "groups" {
  description = "The managed instance group of each role."
  value       = merge({ for role, group in google_compute_region_instance_group_manager.stateful : role => group.name }, { gateway = google_compute_region_instance_group_manager.gateway.name })
}

output "identities" {
  description = "The service account of each role."
  value       = { for role, account in google_service_account.node : role => account.email }
}

output "network" {
  description = "Firewall rules: of all nodes, of health checks."
  value = {
    nodes         = google_compute_firewall.nodes.name
    health_checks = google_compute_firewall.health_checks.name
  }
}
