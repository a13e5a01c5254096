"""ECS (Ecs 2014-05-26): the instances, as far as DescribeInstances tells of them."""
