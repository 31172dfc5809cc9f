"""Generated rosette plants in the format of the CVPPP leaf segmentation challenge."""
