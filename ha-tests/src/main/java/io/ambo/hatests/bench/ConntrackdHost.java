package io.ambo.hatests.bench;

import io.ambo.hatests.lab.Command;
import io.ambo.hatests.lab.LabException;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.NetworkNamespace;
import io.ambo.hatests.sys.Pause;
import java.nio.file.Path;
import java.time.Duration;

/** conntrackd on a host of a line, at its best: FT-FW, entries go straight into the peer's kernel. */
final class ConntrackdHost {
    private ConntrackdHost() {}

    /** It forks; it ends with its namespace. */
    static void start(LabNode node, LabNode peer) {
        Path directory = node.directory();
        node.writeFile("conntrackd.conf", config(node.syncAddress(), peer.syncAddress(), directory));
        node.host().run("conntrackd", "-C", directory.resolve("conntrackd.conf").toString(), "-d");
        long deadlineNs = System.nanoTime() + 10_000_000_000L;
        while (!Command
                .attempt(Duration.ofSeconds(5), node.host().command("conntrackd", "-C", directory.resolve("conntrackd.conf").toString(),
                        "-s").toArray(String[]::new))
                .ok()) {
            if (System.nanoTime() > deadlineNs) throw new LabException("conntrackd of node " + node.name() + " does not answer");
            Pause.ms(50);
        }
    }

    private static String config(String address, String peer, Path directory) { return """
            Sync {
                Mode FTFW {
                    ResendQueueSize 262144
                    ACKWindowSize 300
                    DisableExternalCache on
                }
                UDP {
                    IPv4_address %s
                    IPv4_Destination_Address %s
                    Port 3780
                    Interface sync
                    SndSocketBuffer 67108864
                    RcvSocketBuffer 67108864
                    Checksum on
                }
            }
            General {
                HashSize 1048576
                HashLimit 8388608
                LogFile %s/conntrackd.log
                LockFile %s/conntrackd.lock
                UNIX {
                    Path %s/ct.sock
                }
                NetlinkBufferSize 67108864
                NetlinkBufferSizeMaxGrowth 268435456
                Filter From Userspace {
                    Protocol Accept {
                        TCP
                        UDP
                    }
                    Address Ignore {
                        IPv4_address 127.0.0.1
                        IPv4_address %s
                        IPv4_address %s
                    }
                }
            }
            """.formatted(address, peer, directory, directory, directory, address, peer); }

    /** Asks the peer for all it has. */
    static void requestResync(LabNode node) {
        node.host().run("conntrackd", "-C", node.directory().resolve("conntrackd.conf").toString(), "-n");
    }

    /** By a process of its own: a thread that has changed its namespace may be shown the count of the process's first one. */
    static long entries(NetworkNamespace host) {
        return Long.parseLong(host.run("sysctl", "-n", "net.netfilter.nf_conntrack_count").strip());
    }
}
