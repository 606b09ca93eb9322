"""The runners: where work is carried out."""
