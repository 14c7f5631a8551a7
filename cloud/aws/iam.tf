data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  group_arns = { for role in local.roles : role => join(":", [
    "arn", data.aws_partition.current.partition, "autoscaling", data.aws_region.current.name,
    data.aws_caller_identity.current.account_id, "autoScalingGroup", "*",
    "autoScalingGroupName/${local.names[role]}",
  ]) }

  policies = { for role in local.roles : role => {
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid    = "Discovery"
          Effect = "Allow"
          Action = ["ec2:DescribeInstances"]
          # EC2 knows no narrower resource for it.
          Resource = ["*"]
        },
        {
          Sid      = "Leave"
          Effect   = "Allow"
          Action   = ["autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"]
          Resource = [local.group_arns[role]]
        },
        {
          Sid      = "Secrets"
          Effect   = "Allow"
          Action   = ["secretsmanager:GetSecretValue"]
          Resource = values(local.secrets[role])
        },
      ],
      [for key in compact([var.kms_key]) : {
        Sid      = "Decrypt"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = [key]
        # Only on the way through Secrets Manager, and only what this role may read there.
        Condition = {
          StringEquals = {
            "kms:EncryptionContext:SecretARN" = values(local.secrets[role])
            "kms:ViaService"                  = "secretsmanager.${data.aws_region.current.name}.amazonaws.com"
          }
        }
      }],
    )
  } }
}

# One identity for each role: a storage node can't read the cluster secret.
resource "aws_iam_role" "node" {
  for_each = toset(local.roles)

  name_prefix = "${local.names[each.key]}-"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
  tags = local.tags[each.key]
}

resource "aws_iam_role_policy" "node" {
  for_each = toset(local.roles)

  name   = "dstnode"
  role   = aws_iam_role.node[each.key].id
  policy = jsonencode(local.policies[each.key])
}

resource "aws_iam_instance_profile" "node" {
  for_each = toset(local.roles)

  name_prefix = "${local.names[each.key]}-"
  role        = aws_iam_role.node[each.key].name
  tags        = local.tags[each.key]
}
