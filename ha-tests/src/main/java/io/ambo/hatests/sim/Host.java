package io.ambo.hatests.sim;

/** The machine that something runs on: while it is paused nothing runs, and when it has crashed nothing will. */
interface Host {
    /** Runs this now, after the pause, or never. */
    void run(Runnable act);

    boolean isPaused();
}
