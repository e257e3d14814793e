package io.ambo.hatests.lab;

/** Takes a lab down when it is closed, and, if asked, when the process ends: processes, namespaces, files. */
final class Teardown implements AutoCloseable {
    private final String id;
    private final Thread onExit;

    Teardown(String id) {
        this.id = id;
        onExit = new Thread(() -> LabRegistry.remove(id), "lab-down");
    }

    /** Registers the lab as one of this process: whatever ends the process takes it down. Before anything of it is built. */
    void atExit() {
        LabRegistry.register(id, false);
        Runtime.getRuntime().addShutdownHook(onExit);
    }

    @Override
    public void close() {
        LabRegistry.remove(id);
        try {
            Runtime.getRuntime().removeShutdownHook(onExit);
        } catch (IllegalStateException exiting) {
            // The hook runs, or is about to: it finds nothing left to do.
        }
    }
}
