"""The objective of the pointer decoder."""
