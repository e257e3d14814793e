package io.ambo.node.packet;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/** Runs a property over random cases. The seed is printed; {@code -Dambo.test.seed=N} repeats a run. */
final class Seeds {
    private Seeds() {}

    static void check(String property, int cases, Consumer<SplittableRandom> body) {
        long seed = Long.getLong("ambo.test.seed", System.nanoTime());
        System.out.println(property + ": seed " + seed);
        SplittableRandom random = new SplittableRandom(seed);
        for (int i = 0; i < cases; i++) {
            try {
                body.accept(random.split());
            } catch (RuntimeException | AssertionError e) {
                throw new AssertionError(property + ", case " + i + " of seed " + seed + ": " + e.getMessage(), e);
            }
        }
    }

    static byte[] bytes(SplittableRandom random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        // All ones and all zeros are where ones-complement sums go wrong.
        if (random.nextInt(4) == 0) Arrays.fill(bytes, random.nextBoolean() ? (byte) -1 : 0);
        return bytes;
    }
}
