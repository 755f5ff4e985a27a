"""What the experiments train on: made-up points of the plane, and MNIST."""
