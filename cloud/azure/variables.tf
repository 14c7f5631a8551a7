# The names are the same in cloud/aws, cloud/gcp and cloud/azure wherever the thing is.

variable "cluster_name" {
  description = "Name of the cluster: value of the tag dst-cluster and prefix of all names."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([-a-z0-9]{0,16}[a-z0-9])?$", var.cluster_name))
    error_message = "cluster_name is 1 to 18 of a-z, 0-9 and -, with no - at its ends (load balancers have short names)."
  }
}

variable "resource_group" {
  description = "Resource group of everything; it is there already."
  type        = string
}

variable "location" {
  description = "Region of the groups."
  type        = string
}

variable "zones" {
  description = "Availability zones."
  type        = list(string)
  default     = ["1", "2", "3"]

  validation {
    condition     = length(distinct(var.zones)) >= 3
    error_message = "zones are three: the cluster outlives one."
  }
}

variable "subnet_id" {
  description = "Subnet with a way out (a NAT gateway) for packages and Azure's APIs."
  type        = string
}

variable "key_vault_id" {
  description = "Key vault of the secrets, with Azure RBAC as its permission model."
  type        = string
}

variable "admin_ssh_public_key" {
  description = "Public key of dstadmin; the cloud wants one, and admin_cidrs says who may use it."
  type        = string
}

variable "client_cidrs" {
  description = "Networks of the S3 clients. There is no default: say who may connect."
  type        = list(string)
}

variable "admin_cidrs" {
  description = "Networks that may use SSH; nobody by default."
  type        = list(string)
  default     = []
}

variable "image_id" {
  description = "PUBLISHER:OFFER:SKU:VERSION, or the id of an image: Ubuntu 22.04 and later, or Debian 12."
  type        = string
}

variable "deb_url" {
  description = "https URL of the Debian package; empty where the image has it."
  type        = string
  default     = ""
}

variable "deb_sha256" {
  description = "SHA-256 of the package."
  type        = string
  default     = ""
}

variable "coordinator_count" {
  description = "3 or 5."
  type        = number
  default     = 3

  validation {
    condition     = contains([3, 5], var.coordinator_count)
    error_message = "coordinator_count is 3 or 5."
  }
}

variable "storage_count" {
  description = "Storage nodes, 3 or more; with 5 two may be lost without haste."
  type        = number
  default     = 5

  validation {
    condition     = var.storage_count >= 3
    error_message = "storage_count is 3 or more: every chunk has three copies on different nodes."
  }
}

variable "gateway_min" {
  description = "Gateways at least."
  type        = number
  default     = 2
}

variable "gateway_max" {
  description = "Gateways at most."
  type        = number
  default     = 6
}

variable "coordinator_instance_type" {
  type    = string
  default = "Standard_D2s_v5"
}

variable "storage_instance_type" {
  type    = string
  default = "Standard_D2s_v5"
}

variable "gateway_instance_type" {
  type    = string
  default = "Standard_F4s_v2"
}

variable "coordinator_disk_gb" {
  description = "Data disk of a coordinator, GiB."
  type        = number
  default     = 20
}

variable "storage_disk_gb" {
  description = "Data disk of a storage node, GiB; nine tenths of it are for data."
  type        = number
}

variable "data_disk_type" {
  description = "Storage account type of the data disks."
  type        = string
  default     = "Premium_LRS"
}

variable "cluster_secret" {
  description = "Name in the key vault of the secret that only coordinators read."
  type        = string

  validation {
    condition     = can(regex("^[0-9A-Za-z-]{1,127}$", var.cluster_secret))
    error_message = "It is the name of a secret, letters, digits and -."
  }
}

variable "storage_join_token_secret" {
  description = "Name in the key vault of the secret with the join token of storage nodes."
  type        = string

  validation {
    condition     = can(regex("^[0-9A-Za-z-]{1,127}$", var.storage_join_token_secret))
    error_message = "It is the name of a secret, letters, digits and -."
  }
}

variable "gateway_join_token_secret" {
  description = "Name in the key vault of the secret with the join token of gateways."
  type        = string

  validation {
    condition     = can(regex("^[0-9A-Za-z-]{1,127}$", var.gateway_join_token_secret))
    error_message = "It is the name of a secret, letters, digits and -."
  }
}

variable "encryption_key_secret" {
  description = "Name in the key vault of the secret with the encryption key, for gateways."
  type        = string

  validation {
    condition     = can(regex("^[0-9A-Za-z-]{1,127}$", var.encryption_key_secret))
    error_message = "It is the name of a secret, letters, digits and -."
  }
}

variable "root_secret_key_secret" {
  description = "Name in the key vault of the secret with the root key's secret, for gateways."
  type        = string

  validation {
    condition     = can(regex("^[0-9A-Za-z-]{1,127}$", var.root_secret_key_secret))
    error_message = "It is the name of a secret, letters, digits and -."
  }
}

variable "root_access_key" {
  description = "Name of the root key."
  type        = string
  default     = "root"
}

variable "form_cluster" {
  description = "never, or the time until which blank coordinators may form the cluster."
  type        = string
  default     = "never"
}

variable "replication_factor" {
  description = "Copies of each chunk; settled when the cluster forms."
  type        = number
  default     = 3
}

variable "s3_region" {
  description = "Region that S3 clients sign for."
  type        = string
  default     = "us-east-1"
}

variable "health_check_path" {
  description = "What the load balancer asks: /health (the gateway works), or /ready (it serves)."
  type        = string
  default     = "/health"

  validation {
    condition     = contains(["/health", "/ready"], var.health_check_path)
    error_message = "health_check_path is /health or /ready."
  }
}

variable "tags" {
  description = "More tags for everything."
  type        = map(string)
  default     = {}
}
