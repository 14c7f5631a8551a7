# One identity for each role: a storage node can't read the cluster secret.
resource "azurerm_user_assigned_identity" "node" {
  for_each = toset(local.roles)

  name                = local.names[each.key]
  resource_group_name = var.resource_group
  location            = var.location
  tags                = local.tags[each.key]
}

resource "azurerm_role_definition" "discovery" {
  name              = "dstorage nodes of ${var.cluster_name} in ${var.resource_group}"
  description       = "Finds the cluster's machines by their tags."
  scope             = data.azurerm_resource_group.cluster.id
  assignable_scopes = [data.azurerm_resource_group.cluster.id]

  permissions {
    actions = [
      "Microsoft.Compute/virtualMachines/read",
      "Microsoft.Network/networkInterfaces/read",
    ]
  }
}

resource "azurerm_role_assignment" "discovery" {
  for_each = toset(local.roles)

  scope              = data.azurerm_resource_group.cluster.id
  role_definition_id = azurerm_role_definition.discovery.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.node[each.key].principal_id
  # A new identity may not be known everywhere yet.
  skip_service_principal_aad_check = true
}

locals {
  grants = merge([for role, secrets in local.secrets : {
    for name, secret in secrets : "${role}/${name}" => { role = role, secret = secret }
  }]...)
}

# On single secrets, not on the vault.
resource "azurerm_role_assignment" "secret" {
  for_each = local.grants

  scope                            = "${var.key_vault_id}/secrets/${each.value.secret}"
  role_definition_name             = "Key Vault Secrets User"
  principal_id                     = azurerm_user_assigned_identity.node[each.value.role].principal_id
  skip_service_principal_aad_check = true
}
