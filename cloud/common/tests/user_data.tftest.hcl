variables {
  cloud             = "aws"
  role              = "storage"
  cluster_name      = "c1"
  coordinator_count = 3
  data_disk         = ["auto"]
  secrets           = { join-token = "aws:arn:aws:secretsmanager:eu-west-1:123456789012:secret:t-AbCdEf" }
}

run "storage" {
  command = plan

  assert {
    condition     = toset(keys(yamldecode(output.user_data))) == toset(["runcmd", "write_files"])
    error_message = "The user-data has other keys than write_files and runcmd."
  }
  assert {
    condition     = strcontains(output.user_data, "LoadCredential=join-token:/run/dstnode-secrets/join-token")
    error_message = "The service does not get the join token."
  }
  assert {
    condition     = !strcontains(output.user_data, "LoadCredential=cluster-secret")
    error_message = "A storage node must not have the cluster secret."
  }
  assert {
    condition     = strcontains(output.user_data, "AssertPathIsMountPoint=/var/lib/dstorage")
    error_message = "A storage node would start without its disk."
  }
  assert {
    condition     = !strcontains(output.user_data, "FORM_CLUSTER")
    error_message = "Only coordinators form a cluster."
  }
}

run "coordinator_forms_nothing_by_default" {
  command = plan
  variables {
    role    = "coordinator"
    secrets = { cluster-secret = "aws:arn:aws:secretsmanager:eu-west-1:123456789012:secret:c-AbCdEf" }
  }

  assert {
    condition     = strcontains(output.user_data, "FORM_CLUSTER=never\n")
    error_message = "The default must form no cluster."
  }
  assert {
    condition     = strcontains(output.user_data, "BOOTSTRAP_EXPECT=3\n")
    error_message = "The coordinators must expect as many as the group has."
  }
}

run "gateway_has_no_disk" {
  command = plan
  variables {
    role      = "gateway"
    data_disk = []
  }

  assert {
    condition     = !strcontains(output.user_data, "prepare-disk") && !strcontains(output.user_data, "capacity.env")
    error_message = "A gateway has no data disk to wait for."
  }
}

run "a_secret_is_refused" {
  command = plan
  variables {
    secrets = { join-token = "0123456789abcdef0123456789abcdef" }
  }
  expect_failures = [var.secrets]
}

run "form_at_any_time_is_refused" {
  command = plan
  variables {
    form_cluster = "auto"
  }
  expect_failures = [var.form_cluster]
}

run "four_coordinators_are_refused" {
  command = plan
  variables {
    coordinator_count = 4
  }
  expect_failures = [var.coordinator_count]
}

run "a_wildcard_name_is_refused" {
  command = plan
  variables {
    cluster_name = "c*"
  }
  expect_failures = [var.cluster_name]
}

run "an_unchecked_package_is_refused" {
  command = plan
  variables {
    deb_url = "https://example.com/dstnode.deb"
  }
  expect_failures = [output.user_data]
}
