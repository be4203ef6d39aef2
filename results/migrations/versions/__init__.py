"""One file a version; its revision is the version's number. What is released here is never changed again."""
