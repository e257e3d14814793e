package io.ambo.hatests.drill;

/** A failure, injected on purpose, with what must survive it measured. */
public interface Drill {
    /** As the command line spells it: lower case, hyphens. */
    String name();

    /** What it shows, as one sentence. */
    String shows();

    /**
     * Runs it. Figures and checks go into the run; what is thrown ends the drill as failed.
     *
     * @throws Exception whatever went wrong that no check speaks of
     */
    void run(DrillRun run) throws Exception;
}
