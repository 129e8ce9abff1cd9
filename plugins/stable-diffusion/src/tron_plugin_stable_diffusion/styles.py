"""Styles: what is added to a prompt so that a picture is made in a certain manner. Pure."""

from __future__ import annotations

from dataclasses import dataclass

BASE = "base"
"""The style that adds nothing."""


@dataclass(frozen=True, slots=True)
class Style:
    """``{prompt}`` in ``positive`` stands for what was asked for; ``negative`` is what the picture must not show."""

    positive: str = "{prompt}"
    negative: str = ""

    def apply(self, prompt: str, negative: str) -> tuple[str, str]:
        """The whole prompt and the whole negative prompt."""
        return self.positive.replace("{prompt}", prompt), joined(negative, self.negative)


def joined(*parts: str | None) -> str:
    """The parts that there are, separated by commas."""
    return ", ".join(part.strip().rstrip(",") for part in parts if part and part.strip())


STYLES = {
    BASE: Style(),
    "enhance": Style(
        "{prompt}, carefully composed, rich in detail, balanced light, crisp focus", "plain, unfinished, murky, flat"
    ),
    "anime": Style(
        "{prompt}, as a frame of Japanese animation, clean ink outlines, flat bright colours, large expressive eyes",
        "photograph, realistic skin, film grain, rendered in 3D",
    ),
    "photographic": Style(
        "a photograph of {prompt}, 50 mm lens, natural light, shallow depth of field, fine texture",
        "drawing, painting, cartoon, rendered, plastic skin",
    ),
    "digital-art": Style(
        "{prompt}, digital illustration, painted on a tablet, luminous colours, smooth gradients, sharp edges",
        "photograph, paper texture, grain",
    ),
    "comic-book": Style(
        "a comic panel of {prompt}, bold black outlines, halftone dots, strong shadows, saturated colours",
        "photograph, soft gradients, realistic texture",
    ),
    "fantasy-art": Style(
        "{prompt} in a world of legends, sweeping scenery, glowing magic light, painted like a book cover",
        "modern objects, cars, office, plain background",
    ),
    "analog-film": Style(
        "{prompt}, shot on colour negative film, visible grain, faded tones, slight light leaks, old camera",
        "digital, over-sharpened, rendered, drawing",
    ),
    "neonpunk": Style(
        "{prompt} in a rainy city at night, neon signs in magenta and cyan, wet reflections, dark haze",
        "daylight, pastel, countryside, dull colours",
    ),
    "isometric": Style(
        "an isometric view of {prompt}, parallel projection, tidy miniature, clean faces, soft shadows",
        "perspective, vanishing point, photograph, clutter",
    ),
    "lowpoly": Style(
        "{prompt} built from few flat polygons, faceted, simple colours, even light",
        "smooth surfaces, noise, fine texture",
    ),
    "origami": Style(
        "{prompt} folded from a single sheet of paper, sharp creases, plain backdrop, soft shadow",
        "fur, skin, metal, drawing, clutter",
    ),
    "line-art": Style(
        "a line drawing of {prompt}, even black strokes on white paper, no fill",
        "colour, shading, grey tones, photograph",
    ),
    "craft-clay": Style(
        "{prompt} modelled in coloured clay, fingerprints, rounded forms, stop-motion set",
        "flat, drawing, realistic skin",
    ),
    "cinematic": Style(
        "a still from a film: {prompt}, wide frame, dramatic light, colour graded, shallow focus, slight grain",
        "cartoon, flat light, snapshot, drawing",
    ),
    "3d-model": Style(
        "a 3D rendering of {prompt}, studio lights, smooth materials, ambient occlusion, neutral backdrop",
        "drawing, sketch, grain, photograph",
    ),
    "pixel-art": Style(
        "{prompt} as pixel art, large square pixels, sixteen colours, side view of an old video game",
        "smooth gradients, blur, photograph, fine detail",
    ),
    "texture": Style(
        "a seamless surface texture of {prompt}, seen straight from above, even light, repeating pattern",
        "horizon, perspective, single object, border",
    ),
    "typography": Style(
        "a poster whose lettering says {prompt}, bold type, generous margins, two colours",
        "photograph, scribble, clutter",
    ),
    "deep-ocean": Style(
        "{prompt} in the deep sea, blue-black water, faint rays from above, drifting particles, glowing creatures",
        "dry land, sunlight, desert",
    ),
    "phone-camera": Style(
        "a casual phone snapshot of {prompt}, wide lens, flash, slightly tilted, everyday surroundings",
        "studio, posed, drawing, cinematic",
    ),
}
"""In the order in which they are shown."""
