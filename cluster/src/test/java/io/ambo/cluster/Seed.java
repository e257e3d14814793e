package io.ambo.cluster;

import java.util.SplittableRandom;

/** Randomness for property tests: printed, and repeated with {@code -Dambo.seed=N}. */
public final class Seed {
    private Seed() {}

    public static SplittableRandom random(String test) {
        long seed = Long.getLong("ambo.seed", System.nanoTime());
        System.out.println(test + ": -Dambo.seed=" + seed);
        return new SplittableRandom(seed);
    }
}
