# The names are the same in cloud/aws, cloud/gcp and cloud/azure wherever the thing is.

variable "cluster_name" {
  description = "Name of the cluster: value of the tag dst-cluster and prefix of all names."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([-a-z0-9]{0,16}[a-z0-9])?$", var.cluster_name))
    error_message = "cluster_name is 1 to 18 of a-z, 0-9 and -, with no - at its ends (load balancers have short names)."
  }
}

variable "project" {
  description = "Project of everything but the secrets, which may be in another."
  type        = string
}

variable "region" {
  description = "Region of the groups."
  type        = string
}

variable "zones" {
  description = "Three zones or more of the region."
  type        = list(string)

  validation {
    condition     = length(distinct(var.zones)) >= 3
    error_message = "zones are three or more: the cluster outlives one."
  }
}

variable "network_id" {
  description = "The network of the subnet."
  type        = string
}

variable "subnet_id" {
  description = "Subnet of the region with a way out (Cloud NAT) for packages and Google's APIs."
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
  description = "Image with cloud-init and systemd: Ubuntu 22.04 and later (Debian's own images for this cloud have no cloud-init)."
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
  default = "n2-standard-2"
}

variable "storage_instance_type" {
  type    = string
  default = "n2-standard-2"
}

variable "gateway_instance_type" {
  type    = string
  default = "n2-highcpu-4"
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
  description = "Disk type of the data disks."
  type        = string
  default     = "pd-ssd"
}

variable "cluster_secret" {
  description = "Id (projects/P/secrets/S) of the secret that only coordinators read."
  type        = string

  validation {
    condition     = can(regex("^projects/[^/]+/secrets/[^/]+$", var.cluster_secret))
    error_message = "It is projects/PROJECT/secrets/NAME."
  }
}

variable "storage_join_token_secret" {
  description = "Id (projects/P/secrets/S) of the secret with the join token of storage nodes."
  type        = string

  validation {
    condition     = can(regex("^projects/[^/]+/secrets/[^/]+$", var.storage_join_token_secret))
    error_message = "It is projects/PROJECT/secrets/NAME."
  }
}

variable "gateway_join_token_secret" {
  description = "Id (projects/P/secrets/S) of the secret with the join token of gateways."
  type        = string

  validation {
    condition     = can(regex("^projects/[^/]+/secrets/[^/]+$", var.gateway_join_token_secret))
    error_message = "It is projects/PROJECT/secrets/NAME."
  }
}

variable "encryption_key_secret" {
  description = "Id (projects/P/secrets/S) of the secret with the encryption key, for gateways."
  type        = string

  validation {
    condition     = can(regex("^projects/[^/]+/secrets/[^/]+$", var.encryption_key_secret))
    error_message = "It is projects/PROJECT/secrets/NAME."
  }
}

variable "root_secret_key_secret" {
  description = "Id (projects/P/secrets/S) of the secret with the root key's secret, for gateways."
  type        = string

  validation {
    condition     = can(regex("^projects/[^/]+/secrets/[^/]+$", var.root_secret_key_secret))
    error_message = "It is projects/PROJECT/secrets/NAME."
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

variable "drain_timeout_s" {
  description = "How long the cloud waits for a leaving node to drain, before it is stopped."
  type        = number
  default     = 840

  validation {
    condition     = var.drain_timeout_s >= 30 && var.drain_timeout_s <= 3600
    error_message = "drain_timeout_s is 30 to 3600."
  }
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
  description = "More labels for everything."
  type        = map(string)
  default     = {}
}
