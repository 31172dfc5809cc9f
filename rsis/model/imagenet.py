"""How the pictures were scaled that torchvision's backbones were trained on; without torch."""

MEAN = (0.485, 0.456, 0.406)  # of ImageNet, per channel, for images in 0..1
STD = (0.229, 0.224, 0.225)
