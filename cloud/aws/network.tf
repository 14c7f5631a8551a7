locals {
  listener_port = var.certificate_arn == "" ? 9000 : 443
}

resource "aws_security_group" "nodes" {
  name_prefix = "${var.cluster_name}-nodes-"
  description = "All nodes of the cluster: 9000 among themselves"
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, { Name = "${var.cluster_name}-nodes", dst-cluster = var.cluster_name })

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "nodes" {
  security_group_id            = aws_security_group.nodes.id
  referenced_security_group_id = aws_security_group.nodes.id
  description                  = "Nodes among themselves"
  ip_protocol                  = "tcp"
  from_port                    = 9000
  to_port                      = 9000
}

resource "aws_vpc_security_group_ingress_rule" "ssh" {
  for_each = toset(var.admin_cidrs)

  security_group_id = aws_security_group.nodes.id
  cidr_ipv4         = each.value
  description       = "SSH"
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
}

# Out: other nodes, AWS's APIs, packages.
resource "aws_vpc_security_group_egress_rule" "nodes" {
  security_group_id = aws_security_group.nodes.id
  cidr_ipv4         = "0.0.0.0/0"
  description       = "Other nodes, APIs, packages"
  ip_protocol       = "-1"
}

resource "aws_security_group" "gateway" {
  name_prefix = "${var.cluster_name}-gateway-"
  description = "Gateways: 9000 from the load balancer"
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, { Name = "${var.cluster_name}-gateway", dst-cluster = var.cluster_name })

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "gateway" {
  security_group_id            = aws_security_group.gateway.id
  referenced_security_group_id = aws_security_group.load_balancer.id
  description                  = "Clients and health checks, through the load balancer"
  ip_protocol                  = "tcp"
  from_port                    = 9000
  to_port                      = 9000
}

resource "aws_security_group" "load_balancer" {
  name_prefix = "${var.cluster_name}-lb-"
  description = "Load balancer: S3 clients"
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, { Name = "${var.cluster_name}-lb", dst-cluster = var.cluster_name })

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = toset(var.client_cidrs)

  security_group_id = aws_security_group.load_balancer.id
  cidr_ipv4         = each.value
  description       = "S3 clients"
  ip_protocol       = "tcp"
  from_port         = local.listener_port
  to_port           = local.listener_port
}

resource "aws_vpc_security_group_egress_rule" "load_balancer" {
  security_group_id            = aws_security_group.load_balancer.id
  referenced_security_group_id = aws_security_group.gateway.id
  description                  = "Gateways"
  ip_protocol                  = "tcp"
  from_port                    = 9000
  to_port                      = 9000
}

resource "aws_lb" "gateway" {
  name                             = "${var.cluster_name}-gateway"
  load_balancer_type               = "network"
  internal                         = true
  subnets                          = var.subnet_ids
  security_groups                  = [aws_security_group.load_balancer.id]
  enable_cross_zone_load_balancing = true
  tags                             = local.tags["gateway"]
}

resource "aws_lb_target_group" "gateway" {
  name     = "${var.cluster_name}-gateway"
  vpc_id   = var.vpc_id
  port     = 9000
  protocol = "TCP"
  # Longer than a request takes; the gateway itself lets requests end.
  deregistration_delay = "60"
  # Gateways that are clients of their own load balancer would otherwise talk to themselves.
  preserve_client_ip = "false"
  tags               = local.tags["gateway"]

  health_check {
    protocol            = "HTTP"
    port                = "9000"
    path                = var.health_check_path
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "gateway" {
  load_balancer_arn = aws_lb.gateway.arn
  port              = local.listener_port
  protocol          = var.certificate_arn == "" ? "TCP" : "TLS"
  certificate_arn   = var.certificate_arn == "" ? null : var.certificate_arn
  ssl_policy        = var.certificate_arn == "" ? null : "ELBSecurityPolicy-TLS13-1-2-2021-06"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.gateway.arn
  }
}
