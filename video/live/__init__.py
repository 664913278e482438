"""Pictures that are still coming: from a camera, a network camera or a film, watched while they come."""
