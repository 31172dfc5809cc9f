"""The local web page of `rsis demo-app`."""
