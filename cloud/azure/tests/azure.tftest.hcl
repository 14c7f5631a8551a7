mock_provider "azurerm" {
  override_data {
    target = data.azurerm_resource_group.cluster
    values = { id = "/subscriptions/s/resourceGroups/g" }
  }
  override_data {
    target = data.azurerm_subnet.nodes
    values = { address_prefixes = ["10.1.0.0/24"] }
  }
}

variables {
  cluster_name              = "c1"
  resource_group            = "g"
  location                  = "westeurope"
  subnet_id                 = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n/subnets/nodes"
  key_vault_id              = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v1"
  admin_ssh_public_key      = "ssh-ed25519 AAAA"
  client_cidrs              = ["10.0.0.0/16"]
  image_id                  = "Canonical:ubuntu-24_04-lts:server:latest"
  storage_disk_gb           = 512
  cluster_secret            = "c1-cluster-secret"
  storage_join_token_secret = "c1-storage-join-token"
  gateway_join_token_secret = "c1-gateway-join-token"
  encryption_key_secret     = "c1-encryption-key"
  root_secret_key_secret    = "c1-root-secret-key"
}

run "machines" {
  command = apply

  assert {
    condition = alltrue([for g in azurerm_orchestrated_virtual_machine_scale_set.node :
    g.termination_notification[0].enabled && g.termination_notification[0].timeout == "PT15M"])
    error_message = "Machines wait as long as they can for their node to drain."
  }
  assert {
    condition = alltrue([for g in azurerm_orchestrated_virtual_machine_scale_set.node :
    g.upgrade_mode == "Manual" && !g.automatic_instance_repair[0].enabled])
    error_message = "Nothing replaces machines by itself."
  }
  assert {
    condition = alltrue([for role, g in azurerm_orchestrated_virtual_machine_scale_set.node :
    g.tags["dst-cluster"] == "c1" && g.tags["dst-role"] == role && length(g.zones) == 3])
    error_message = "Machines are found by dst-cluster and dst-role, in three zones."
  }
  assert {
    condition = alltrue([for g in azurerm_orchestrated_virtual_machine_scale_set.node :
    length(g.network_interface[0].ip_configuration[0].public_ip_address) == 0])
    error_message = "No machine has a public address."
  }
  assert {
    condition = alltrue([for g in azurerm_orchestrated_virtual_machine_scale_set.node :
    g.os_profile[0].linux_configuration[0].disable_password_authentication])
    error_message = "There are no passwords."
  }
  assert {
    condition     = { for role, g in azurerm_orchestrated_virtual_machine_scale_set.node : role => g.instances if role != "gateway" } == { coordinator = 3, storage = 5 }
    error_message = "The groups have the sizes that were asked for."
  }
  assert {
    condition     = azurerm_monitor_autoscale_setting.gateway.profile[0].capacity[0].minimum == 2 && azurerm_monitor_autoscale_setting.gateway.profile[0].capacity[0].maximum == 6
    error_message = "Gateways scale between gateway_min and gateway_max."
  }
  assert {
    condition     = azurerm_orchestrated_virtual_machine_scale_set.node["storage"].data_disk[0].disk_size_gb == 512 && azurerm_orchestrated_virtual_machine_scale_set.node["storage"].data_disk[0].lun == 0 && length(azurerm_orchestrated_virtual_machine_scale_set.node["gateway"].data_disk) == 0
    error_message = "Storage nodes have the disk that was asked for at LUN 0, gateways none."
  }
  assert {
    condition     = azurerm_orchestrated_virtual_machine_scale_set.node["storage"].source_image_reference[0].offer == "ubuntu-24_04-lts"
    error_message = "The image is the one that was asked for."
  }
}

run "own_image" {
  command = apply
  variables {
    image_id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/images/i"
  }

  assert {
    condition     = alltrue([for g in azurerm_orchestrated_virtual_machine_scale_set.node : g.source_image_id == var.image_id && length(g.source_image_reference) == 0])
    error_message = "An image may be given by its id."
  }
}

run "user_data" {
  command = apply

  assert {
    condition     = strcontains(base64decode(azurerm_orchestrated_virtual_machine_scale_set.node["coordinator"].os_profile[0].custom_data), "cluster-secret azure:https://v1.vault.azure.net/secrets/c1-cluster-secret\n")
    error_message = "Coordinators fetch the cluster secret."
  }
  assert {
    condition     = !strcontains(base64decode(azurerm_orchestrated_virtual_machine_scale_set.node["storage"].os_profile[0].custom_data), "c1-cluster-secret")
    error_message = "Only coordinators know where the cluster secret is."
  }
  assert {
    condition     = strcontains(base64decode(azurerm_orchestrated_virtual_machine_scale_set.node["coordinator"].os_profile[0].custom_data), "FORM_CLUSTER=never\n")
    error_message = "No cluster forms by default."
  }
}

run "identities" {
  command = apply

  assert {
    condition = toset(azurerm_role_definition.discovery.permissions[0].actions) == toset([
      "Microsoft.Compute/virtualMachines/read", "Microsoft.Network/networkInterfaces/read",
    ])
    error_message = "Nodes read machines and their interfaces, and nothing else."
  }
  assert {
    condition = toset([for key, grant in azurerm_role_assignment.secret : "${key}=${grant.scope}"]) == toset([
      "coordinator/cluster-secret=${var.key_vault_id}/secrets/c1-cluster-secret",
      "storage/join-token=${var.key_vault_id}/secrets/c1-storage-join-token",
      "gateway/join-token=${var.key_vault_id}/secrets/c1-gateway-join-token",
      "gateway/encryption-key=${var.key_vault_id}/secrets/c1-encryption-key",
      "gateway/root-secret-key=${var.key_vault_id}/secrets/c1-root-secret-key",
    ])
    error_message = "Each role reads its own secrets and no others."
  }
}

run "network" {
  command = apply

  assert {
    condition = alltrue([for g in azurerm_network_security_group.node : length([
      for r in g.security_rule : r if r.priority == 4096 && r.access == "Deny" && r.source_address_prefix == "*"
    ]) == 1])
    error_message = "What is not named is shut out."
  }
  assert {
    condition = alltrue([for g in azurerm_network_security_group.node : alltrue([
      for r in g.security_rule : r.access == "Deny" || contains(["10.1.0.0/24", "10.0.0.0/16", "AzureLoadBalancer"], r.source_address_prefix)
    ])])
    error_message = "Nobody but nodes, clients and probes comes in."
  }
  assert {
    condition = alltrue([for role in ["coordinator", "storage"] : toset([
      for r in azurerm_network_security_group.node[role].security_rule : r.name
    ]) == toset(["nodes", "nobody-else"])])
    error_message = "Clients reach gateways only, and SSH is closed by default."
  }
  assert {
    condition     = azurerm_lb_probe.gateway.request_path == "/health" && azurerm_lb_probe.gateway.port == 9000
    error_message = "The load balancer asks /health."
  }
}
