"""From a manifest and its videos to clips and views."""
