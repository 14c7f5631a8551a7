# 3 coordinators, 5 storage nodes and 2 to 6 gateways in a network and a resource group that are there.
terraform {
  required_version = ">= 1.5"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 4.0, < 5.0"
    }
  }
}

provider "azurerm" {
  features {}
}

variable "resource_group" { type = string }
variable "location" { type = string }
variable "subnet_id" { type = string }
variable "key_vault_id" { type = string }
variable "admin_ssh_public_key" { type = string }
variable "client_cidrs" { type = list(string) }
variable "deb_url" { type = string }
variable "deb_sha256" { type = string }

variable "image_id" {
  type    = string
  default = "Canonical:ubuntu-24_04-lts:server:latest"
}

# The time until which the cluster may form, an hour or so from now; never afterwards.
variable "form_cluster" {
  type    = string
  default = "never"
}

module "dstorage" {
  source = "../.."

  cluster_name         = "c1"
  resource_group       = var.resource_group
  location             = var.location
  subnet_id            = var.subnet_id
  key_vault_id         = var.key_vault_id
  admin_ssh_public_key = var.admin_ssh_public_key
  client_cidrs         = var.client_cidrs
  image_id             = var.image_id
  deb_url              = var.deb_url
  deb_sha256           = var.deb_sha256
  storage_disk_gb      = 512
  form_cluster         = var.form_cluster

  cluster_secret            = "c1-cluster-secret"
  encryption_key_secret     = "c1-encryption-key"
  root_secret_key_secret    = "c1-root-secret-key"
  storage_join_token_secret = "c1-storage-join-token"
  gateway_join_token_secret = "c1-gateway-join-token"
}

output "gateway_endpoint" {
  value = module.dstorage.gateway_endpoint
}
