output "user_data" {
  description = "cloud-init's user-data, in plain text."
  value       = local.user_data

  precondition {
    condition     = (var.deb_url == "") == (var.deb_sha256 == "")
    error_message = "deb_url and deb_sha256 belong together: nothing is installed unchecked."
  }

  precondition {
    # EC2's limit, the smallest of the three clouds'.
    condition     = length(local.user_data) < 16384
    error_message = "The user-data is larger than 16 KiB."
  }
}
