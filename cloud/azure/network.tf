locals {
  subnet = split("/", var.subnet_id)

  # By priority; the last one shuts out the rest of the network, which Azure lets in by default.
  rules = { for role in local.roles : role => merge(
    { nodes = { priority = 100, port = "9000", access = "Allow", sources = data.azurerm_subnet.nodes.address_prefixes } },
    role == "gateway" && length(var.client_cidrs) > 0 ? {
      clients = { priority = 110, port = "9000", access = "Allow", sources = var.client_cidrs }
    } : {},
    role == "gateway" ? {
      probes = { priority = 120, port = "9000", access = "Allow", sources = ["AzureLoadBalancer"] }
    } : {},
    length(var.admin_cidrs) > 0 ? {
      ssh = { priority = 130, port = "22", access = "Allow", sources = var.admin_cidrs }
    } : {},
    { nobody-else = { priority = 4096, port = "*", access = "Deny", sources = ["*"] } },
  ) }
}

data "azurerm_subnet" "nodes" {
  name                 = local.subnet[10]
  virtual_network_name = local.subnet[8]
  resource_group_name  = local.subnet[4]
}

resource "azurerm_network_security_group" "node" {
  for_each = toset(local.roles)

  name                = local.names[each.key]
  resource_group_name = var.resource_group
  location            = var.location
  tags                = local.tags[each.key]

  dynamic "security_rule" {
    for_each = local.rules[each.key]
    content {
      name                       = security_rule.key
      priority                   = security_rule.value.priority
      direction                  = "Inbound"
      access                     = security_rule.value.access
      protocol                   = security_rule.value.access == "Deny" ? "*" : "Tcp"
      source_port_range          = "*"
      destination_address_prefix = "*"
      destination_port_range     = security_rule.value.port
      # One prefix or service tag, or several prefixes: the API has a name for each.
      source_address_prefix   = length(security_rule.value.sources) == 1 ? security_rule.value.sources[0] : null
      source_address_prefixes = length(security_rule.value.sources) == 1 ? null : security_rule.value.sources
    }
  }
}

resource "azurerm_lb" "gateway" {
  name                = local.names["gateway"]
  resource_group_name = var.resource_group
  location            = var.location
  sku                 = "Standard"
  tags                = local.tags["gateway"]

  frontend_ip_configuration {
    name                          = "clients"
    subnet_id                     = var.subnet_id
    private_ip_address_allocation = "Dynamic"
    zones                         = var.zones
  }
}

resource "azurerm_lb_backend_address_pool" "gateway" {
  name            = "gateways"
  loadbalancer_id = azurerm_lb.gateway.id
}

resource "azurerm_lb_probe" "gateway" {
  name                = "health"
  loadbalancer_id     = azurerm_lb.gateway.id
  protocol            = "Http"
  port                = 9000
  request_path        = var.health_check_path
  interval_in_seconds = 10
  probe_threshold     = 3
}

resource "azurerm_lb_rule" "gateway" {
  name                           = "s3"
  loadbalancer_id                = azurerm_lb.gateway.id
  frontend_ip_configuration_name = "clients"
  backend_address_pool_ids       = [azurerm_lb_backend_address_pool.gateway.id]
  probe_id                       = azurerm_lb_probe.gateway.id
  protocol                       = "Tcp"
  frontend_port                  = 9000
  backend_port                   = 9000
}
