output "gateway_endpoint" {
  description = "Where S3 clients connect."
  value       = "http://${azurerm_lb.gateway.private_ip_address}:9000"
}

output "discovery" {
  description = "Settings by which another machine finds the cluster."
  value       = "DISCOVERY_METHOD=azure CLUSTER_NAME=${var.cluster_name}"
}

output "groups" {
  description = "The scale set of each role."
  value       = { for role, group in azurerm_orchestrated_virtual_machine_scale_set.node : role => group.name }
}

output "identities" {
  description = "The identity of each role."
  value       = { for role, identity in azurerm_user_assigned_identity.node : role => identity.id }
}

output "network" {
  description = "The network security group of each role."
  value       = { for role, group in azurerm_network_security_group.node : role => group.id }
}
