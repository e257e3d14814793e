package io.ambo.node;

import io.ambo.node.config.ConfigLoader;
import io.ambo.node.config.LinuxHostFacts;
import io.ambo.node.config.Loaded;
import io.ambo.node.control.ControlException;
import io.ambo.node.sys.Errno;
import io.ambo.node.sys.Scheduling;
import io.ambo.node.sys.SysException;
import java.nio.file.Path;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/**
 * Starts a node and runs until SIGTERM: {@code Main --config /etc/ambo/ambo.yml}. Exit codes: 0 stopped as told, 1 the node could not start, 2 wrong
 * arguments, 70 a broken invariant.
 */
public final class Main {
    private static final int PACKET_NICE = -15;
    /** A third of a packet thread's share. */
    private static final int COMPILER_NICE = -10;
    private static final Path DEFAULT_CONFIG = Path.of("/etc/ambo/ambo.yml");

    private Main() {}

    public static void main(String[] arguments) {
        Path file = configFile(arguments);
        switch (ConfigLoader.load(file, new LinuxHostFacts())) {
            case Loaded.Refused refused -> {
                System.err.println(refused.report());
                System.exit(1);
            }
            case Loaded.Accepted accepted -> run(file, accepted);
        }
    }

    /**
     * Packets go before everything else on this host, as they do in a kernel that forwards: a stray is parked for milliseconds, and a thread that waits for a
     * processor that long loses it. The compilers may wait, but not for ever: with an ordinary thread's share a young JVM under load stays young for minutes, at a tenth of its speed.
     */
    private static void goFirst(Logger log) {
        int errno = Scheduling.setNice(PACKET_NICE, COMPILER_NICE);
        if (errno != 0)
            log.warn("packet threads run at ordinary priority: {}; give the process CAP_SYS_NICE, or set Nice={} in its unit",
                    Errno.text(errno), PACKET_NICE);
    }

    private static void run(Path file, Loaded.Accepted accepted) {
        // log4j2.xml reads it when the first logger is made, which is why this class has none.
        System.setProperty("ambo.log.level", accepted.config().logging().level().name());
        Logger log = LogManager.getLogger(Main.class);
        goFirst(log);
        try {
            Node node = Node.start(file, accepted.config());
            Runtime.getRuntime().addShutdownHook(Thread.ofPlatform().name("ambo-stop").unstarted(() -> {
                node.close();
                LogManager.shutdown();
            }));
        } catch (SysException | ControlException | IllegalArgumentException | IllegalStateException failed) {
            log.fatal("the node does not start: {}", failed.getMessage());
            log.debug("in detail", failed);
            LogManager.shutdown();
            Runtime.getRuntime().halt(1);
        }
    }

    private static Path configFile(String[] arguments) {
        if (arguments.length == 0) return DEFAULT_CONFIG;
        if (arguments.length == 2 && arguments[0].equals("--config")) return Path.of(arguments[1]);
        System.err.println("usage: ambo-node [--config FILE]   (default " + DEFAULT_CONFIG + ")");
        System.exit(2);
        return DEFAULT_CONFIG;
    }
}
