variable "cloud" {
  description = "Where the machine runs: aws, gcp or azure."
  type        = string

  validation {
    condition     = contains(["aws", "gcp", "azure"], var.cloud)
    error_message = "cloud is aws, gcp or azure."
  }
}

variable "role" {
  description = "What the node does: coordinator, storage or gateway."
  type        = string

  validation {
    condition     = contains(["coordinator", "storage", "gateway"], var.role)
    error_message = "role is coordinator, storage or gateway."
  }
}

variable "cluster_name" {
  description = "Value of the tag dst-cluster, by which the nodes find each other."
  type        = string

  # What every cloud takes as a label, without the wildcards of EC2's filters.
  validation {
    condition     = can(regex("^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$", var.cluster_name))
    error_message = "cluster_name is 1 to 32 of a-z, 0-9 and -, with no - at its ends."
  }
}

variable "coordinator_count" {
  description = "Coordinators that must see each other before they form a cluster: 3 or 5."
  type        = number

  validation {
    condition     = contains([3, 5], var.coordinator_count)
    error_message = "coordinator_count is 3 or 5: with an even number a vote can be split."
  }
}

variable "form_cluster" {
  description = "never, or the time after which blank coordinators no longer form a cluster."
  type        = string
  default     = "never"

  # auto would let a group that is replaced as a whole form an empty cluster over the data.
  validation {
    condition     = var.form_cluster == "never" || can(timeadd(var.form_cluster, "0s"))
    error_message = "form_cluster is never or a time such as 2026-12-31T00:00:00Z."
  }
}

variable "replication_factor" {
  description = "Copies of each chunk; settled for good when the cluster forms."
  type        = number
  default     = 3
}

variable "root_access_key" {
  description = "Name of the access key that has all rights; its secret is one of the secrets."
  type        = string
  default     = "root"
}

variable "s3_region" {
  description = "Region that S3 clients sign for."
  type        = string
  default     = "us-east-1"
}

variable "secrets" {
  description = "References to the secrets of this role, by the name of their credential."
  type        = map(string)

  # A secret itself, pasted by mistake, would be readable by everybody who can read the template.
  validation {
    condition = alltrue([
      for reference in values(var.secrets) :
      can(regex("^(aws:arn:|gcp:projects/|azure:https://)\\S+$", reference))
    ])
    error_message = "secrets are references: aws:arn:…, gcp:projects/… or azure:https://…"
  }

  validation {
    condition = alltrue([
      for name in keys(var.secrets) :
      contains(["cluster-secret", "join-token", "encryption-key", "root-secret-key"], name)
    ])
    error_message = "secrets are cluster-secret, join-token, encryption-key and root-secret-key."
  }
}

variable "data_disk" {
  description = "Where the data disk is: [\"auto\"] or devices, the first that exists; [] for none."
  type        = list(string)
}

variable "deb_url" {
  description = "https URL of the Debian package; empty where the image has it."
  type        = string
  default     = ""

  validation {
    condition     = var.deb_url == "" || can(regex("^https://[^\\s\"\\\\]+$", var.deb_url))
    error_message = "deb_url is an https URL."
  }
}

variable "deb_sha256" {
  description = "SHA-256 of the package, in hexadecimal."
  type        = string
  default     = ""

  validation {
    condition     = var.deb_sha256 == "" || can(regex("^[0-9a-f]{64}$", var.deb_sha256))
    error_message = "deb_sha256 is 64 hexadecimal digits, in lower case."
  }
}
