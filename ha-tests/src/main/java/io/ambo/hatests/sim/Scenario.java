package io.ambo.hatests.sim;

import java.util.SplittableRandom;

/**
 * What one seed is about, in figures. Everything else is drawn while the simulation runs.
 *
 * @param nodes           2 to 4
 * @param conversations   opened in all
 * @param packetLoss      share of the packets between ends and nodes that is lost
 * @param syncLoss        share of the sync packets that is lost at first; the transport sends them again, so that messages are late
 * @param brokenPromises  share of the sync messages that is lost, doubled or reordered although {@link io.ambo.cluster.membership.Transport} says reliable and
 *                        in order
 * @param faults          injected on purpose
 * @param drains          of them, nodes that are drained, and then go on or are started anew
 * @param redirect        redirect mode
 */
record Scenario(int nodes, int conversations, double packetLoss, double syncLoss, double brokenPromises, int faults,
        int drains, boolean redirect) {
    static Scenario of(long seed, SplittableRandom random) {
        int nodes = random.nextInt(10) < 6 ? 2 : random.nextInt(4) < 3 ? 3 : 4;
        double packetLoss = random.nextInt(3) == 0 ? 0 : random.nextDouble(0.05);
        double syncLoss = random.nextInt(3) == 0 ? 0 : random.nextDouble(0.1);
        double broken = random.nextInt(3) == 0 ? random.nextDouble(0.05) : 0;
        int conversations = random.nextInt(20, 50);
        int faults = random.nextInt(7);
        SplittableRandom more = new SplittableRandom(~seed);
        int drains = more.nextInt(3) == 0 ? more.nextInt(1, 4) : 0;
        return new Scenario(nodes, conversations, packetLoss, syncLoss, broken, faults, drains, seed % 5 >= 3);
    }
}
