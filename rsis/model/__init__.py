"""The network: encoder, ConvLSTM decoder, and both together."""
