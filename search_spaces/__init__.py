"""The search spaces that come with the project, one YAML file each; README.md explains every key."""
