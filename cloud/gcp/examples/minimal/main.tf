# 3 coordinators, 5 storage nodes and 2 to 6 gateways in a network that is there.
terraform {
  required_version = ">= 1.5"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.30, < 8.0"
    }
    google-beta = {
      source  = "hashicorp/google-beta"
      version = ">= 6.30, < 8.0"
    }
  }
}

variable "project" { type = string }
variable "region" { type = string }
variable "zones" { type = list(string) }
variable "network_id" { type = string }
variable "subnet_id" { type = string }
variable "client_cidrs" { type = list(string) }
variable "image_id" { type = string }
variable "deb_url" { type = string }
variable "deb_sha256" { type = string }

# The time until which the cluster may form, an hour or so from now; never afterwards.
variable "form_cluster" {
  type    = string
  default = "never"
}

module "dstorage" {
  source = "../.."

  cluster_name    = "c1"
  project         = var.project
  region          = var.region
  zones           = var.zones
  network_id      = var.network_id
  subnet_id       = var.subnet_id
  client_cidrs    = var.client_cidrs
  image_id        = var.image_id
  deb_url         = var.deb_url
  deb_sha256      = var.deb_sha256
  storage_disk_gb = 500
  form_cluster    = var.form_cluster

  cluster_secret            = "projects/${var.project}/secrets/c1-cluster-secret"
  encryption_key_secret     = "projects/${var.project}/secrets/c1-encryption-key"
  root_secret_key_secret    = "projects/${var.project}/secrets/c1-root-secret-key"
  storage_join_token_secret = "projects/${var.project}/secrets/c1-storage-join-token"
  gateway_join_token_secret = "projects/${var.project}/secrets/c1-gateway-join-token"
}

output "gateway_endpoint" {
  value = module.dstorage.gateway_endpoint
}
