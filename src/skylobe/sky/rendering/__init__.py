"""Components of a catalogue to pictures of the sky."""
