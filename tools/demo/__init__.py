"""The main job from its manifest to its drain, in a private /var/vcap, against a mocked cloud."""
