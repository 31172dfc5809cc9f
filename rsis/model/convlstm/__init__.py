"""The paper's decoder: a pyramid of ConvLSTM layers."""
