output "gateway_endpoint" {
  description = "Where S3 clients connect; with a certificate put a DNS name of its own before it."
  value = (var.certificate_arn == ""
    ? "http://${aws_lb.gateway.dns_name}:9000"
  : "https://${aws_lb.gateway.dns_name}")
}

output "discovery" {
  description = "Settings by which another machine finds the cluster."
  value       = "DISCOVERY_METHOD=aws CLUSTER_NAME=${var.cluster_name}"
}

output "groups" {
  description = "The Auto Scaling group of each role."
  value       = merge({ for role, group in aws_autoscaling_group.stateful : role => group.name }, { gateway = aws_autoscaling_group.gateway.name })
}

output "identities" {
  description = "The IAM role of each role."
  value       = { for role, identity in aws_iam_role.node : role => identity.arn }
}

output "network" {
  description = "Security groups: of all nodes, of gateways, of the load balancer."
  value = {
    nodes         = aws_security_group.nodes.id
    gateway       = aws_security_group.gateway.id
    load_balancer = aws_security_group.load_balancer.id
  }
}
