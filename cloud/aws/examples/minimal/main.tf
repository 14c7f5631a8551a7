# 3 coordinators, 5 storage nodes and 2 to 6 gateways in a VPC that is there.
terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.90, < 7.0"
    }
  }
}

variable "vpc_id" { type = string }
variable "subnet_ids" { type = list(string) }
variable "client_cidrs" { type = list(string) }
variable "image_id" { type = string }
variable "deb_url" { type = string }
variable "deb_sha256" { type = string }

# The time until which the cluster may form, an hour or so from now; never afterwards.
variable "form_cluster" {
  type    = string
  default = "never"
}

# ARNs of cluster-secret, encryption-key, root-secret-key, storage-join-token, gateway-join-token.
variable "secrets" { type = map(string) }

module "dstorage" {
  source = "../.."

  cluster_name    = "c1"
  vpc_id          = var.vpc_id
  subnet_ids      = var.subnet_ids
  client_cidrs    = var.client_cidrs
  image_id        = var.image_id
  deb_url         = var.deb_url
  deb_sha256      = var.deb_sha256
  storage_disk_gb = 500
  form_cluster    = var.form_cluster

  cluster_secret            = var.secrets["cluster-secret"]
  encryption_key_secret     = var.secrets["encryption-key"]
  root_secret_key_secret    = var.secrets["root-secret-key"]
  storage_join_token_secret = var.secrets["storage-join-token"]
  gateway_join_token_secret = var.secrets["gateway-join-token"]
}

output "gateway_endpoint" {
  value = module.dstorage.gateway_endpoint
}
