# One identity for each role: a storage node can't read the cluster secret.
resource "google_service_account" "node" {
  for_each = toset(local.roles)

  project      = var.project
  account_id   = local.names[each.key]
  display_name = "dstorage ${each.key} of ${var.cluster_name}"
}

resource "google_project_iam_custom_role" "discovery" {
  project     = var.project
  role_id     = "dstnode_${replace(var.cluster_name, "-", "_")}"
  title       = "dstorage nodes of ${var.cluster_name}"
  description = "Finds the cluster's instances by their labels."
  permissions = ["compute.instances.list"]
}

resource "google_project_iam_member" "discovery" {
  for_each = toset(local.roles)

  project = var.project
  role    = google_project_iam_custom_role.discovery.id
  member  = "serviceAccount:${google_service_account.node[each.key].email}"
}

locals {
  grants = merge([for role, secrets in local.secrets : {
    for name, id in secrets : "${role}/${name}" => { role = role, secret = id }
  }]...)
}

resource "google_secret_manager_secret_iam_member" "node" {
  for_each = local.grants

  secret_id = each.value.secret
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${google_service_account.node[each.value.role].email}"
}
