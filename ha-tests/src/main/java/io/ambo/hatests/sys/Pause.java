package io.ambo.hatests.sys;

/** Lets time pass: traffic runs meanwhile. */
public final class Pause {
    private Pause() {}

    /** @throws IllegalStateException when the thread is interrupted; it stays so */
    public static void ms(long time) {
        try {
            Thread.sleep(time);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", interrupted);
        }
    }
}
