# The user-data of one role, the same on all clouds. No provider, no resources.
locals {
  # The scripts without comments and empty lines, which would be a third of what EC2 and CloudFormation take.
  scripts = { for name in ["prepare-disk", "fetch-secrets", "install"] : name =>
    replace(file("${path.module}/${name}"), "/(?m)^ *(#([^!].*)?)?\n/", "")
  }

  env = templatefile("${path.module}/dstnode.env.tftpl", {
    cloud              = var.cloud
    role               = var.role
    cluster_name       = var.cluster_name
    coordinator_count  = var.coordinator_count
    form_cluster       = var.form_cluster
    replication_factor = var.replication_factor
    root_access_key    = var.root_access_key
    s3_region          = var.s3_region
  })
  rendered = templatefile("${path.module}/cloud-init.yaml.tftpl", {
    role          = var.role
    env           = local.env
    secrets       = var.secrets
    data_disk     = var.data_disk
    deb_url       = var.deb_url
    deb_sha256    = var.deb_sha256
    prepare_disk  = local.scripts["prepare-disk"]
    fetch_secrets = local.scripts["fetch-secrets"]
    install       = local.scripts["install"]
  })

  # indent() leaves spaces in the scripts' empty lines.
  user_data = replace(local.rendered, "/ +\\n/", "\n")
}
