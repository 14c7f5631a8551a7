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

  tags = { for role in local.roles : role => merge(var.tags, {
    dst-cluster = var.cluster_name
    dst-role    = role
  }) }

  counts = {
    coordinator = var.coordinator_count
    storage     = var.storage_count
    # The autoscaler's to say.
    gateway = null
  }

  vault_url   = "https://${split("/", var.key_vault_id)[8]}.vault.azure.net"
  is_image_id = startswith(var.image_id, "/")
}

data "azurerm_resource_group" "cluster" {
  name = var.resource_group
}

module "user_data" {
  source   = "../common"
  for_each = toset(local.roles)

  cloud              = "azure"
  role               = each.key
  cluster_name       = var.cluster_name
  coordinator_count  = var.coordinator_count
  form_cluster       = var.form_cluster
  replication_factor = var.replication_factor
  root_access_key    = var.root_access_key
  s3_region          = var.s3_region
  secrets            = { for name, secret in local.secrets[each.key] : name => "azure:${local.vault_url}/secrets/${secret}" }
  # LUN 0, on SCSI and on NVMe machines.
  data_disk = (local.data_disk_gb[each.key] > 0
    ? ["/dev/disk/azure/scsi1/lun0", "/dev/disk/azure/data/by-lun/0"]
  : [])
  deb_url    = var.deb_url
  deb_sha256 = var.deb_sha256
}

# Flexible scale sets. Their model changes nothing that runs: machines are replaced by ./roll, one at a
# time, since the cloud waits for a node to drain only when its machine is deleted.
resource "azurerm_orchestrated_virtual_machine_scale_set" "node" {
  for_each = toset(local.roles)

  name                        = local.names[each.key]
  resource_group_name         = var.resource_group
  location                    = var.location
  sku_name                    = local.instance_types[each.key]
  instances                   = local.counts[each.key]
  zones                       = var.zones
  platform_fault_domain_count = 1
  upgrade_mode                = "Manual"
  source_image_id             = local.is_image_id ? var.image_id : null
  tags                        = local.tags[each.key]

  dynamic "source_image_reference" {
    for_each = local.is_image_id ? [] : [split(":", var.image_id)]
    content {
      publisher = source_image_reference.value[0]
      offer     = source_image_reference.value[1]
      sku       = source_image_reference.value[2]
      version   = source_image_reference.value[3]
    }
  }

  os_profile {
    custom_data = base64encode(module.user_data[each.key].user_data)
    linux_configuration {
      admin_username                  = "dstadmin"
      computer_name_prefix            = "${local.names[each.key]}-"
      disable_password_authentication = true
      admin_ssh_key {
        username   = "dstadmin"
        public_key = var.admin_ssh_public_key
      }
    }
  }

  os_disk {
    caching              = "ReadWrite"
    storage_account_type = "StandardSSD_LRS"
  }

  dynamic "data_disk" {
    for_each = local.data_disk_gb[each.key] > 0 ? [local.data_disk_gb[each.key]] : []
    content {
      lun           = 0
      create_option = "Empty"
      disk_size_gb  = data_disk.value
      # fsync means the disk.
      caching              = "None"
      storage_account_type = var.data_disk_type
    }
  }

  network_interface {
    name                      = "node"
    primary                   = true
    network_security_group_id = azurerm_network_security_group.node[each.key].id
    ip_configuration {
      name      = "node"
      primary   = true
      subnet_id = var.subnet_id
      load_balancer_backend_address_pool_ids = (
        each.key == "gateway" ? [azurerm_lb_backend_address_pool.gateway.id] : []
      )
    }
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.node[each.key].id]
  }

  # The longest there is: a node that holds much data is drained before its machine is deleted.
  termination_notification {
    enabled = true
    timeout = "PT15M"
  }

  # A node is not replaced for what it says of itself; the cluster heals without its machine.
  automatic_instance_repair {
    enabled = false
  }

  depends_on = [azurerm_role_assignment.discovery, azurerm_role_assignment.secret]
}

resource "azurerm_monitor_autoscale_setting" "gateway" {
  name                = local.names["gateway"]
  resource_group_name = var.resource_group
  location            = var.location
  target_resource_id  = azurerm_orchestrated_virtual_machine_scale_set.node["gateway"].id
  tags                = local.tags["gateway"]

  profile {
    name = "load"

    capacity {
      default = var.gateway_min
      minimum = var.gateway_min
      maximum = var.gateway_max
    }

    dynamic "rule" {
      for_each = { Increase = ["GreaterThan", 70], Decrease = ["LessThan", 30] }
      content {
        metric_trigger {
          metric_name        = "Percentage CPU"
          metric_resource_id = azurerm_orchestrated_virtual_machine_scale_set.node["gateway"].id
          operator           = rule.value[0]
          threshold          = rule.value[1]
          statistic          = "Average"
          time_aggregation   = "Average"
          time_grain         = "PT1M"
          time_window        = "PT5M"
        }
        scale_action {
          direction = rule.key
          type      = "ChangeCount"
          value     = 1
          cooldown  = "PT5M"
        }
      }
    }
  }
}
