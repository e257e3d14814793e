package io.ambo.node.addresses;

import io.ambo.cluster.address.IpAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/** The floating addresses that this node has put on its interfaces, for the next start, should this process end without taking them down. */
final class AddressFile {
    private static final Logger LOG = LogManager.getLogger();
    private static final String NAME = "floating-addresses";

    /** One line: address/prefix-length interface. */
    record Entry(IpAddress address, int prefixLength, String interfaceName) {
        @Override
        public String toString() { return address + "/" + prefixLength + " " + interfaceName; }
    }

    private final Path file;

    AddressFile(Path stateDir) { file = stateDir.resolve(NAME); }

    /** What the last process left; a line that is damaged is left out. */
    List<Entry> read() {
        List<Entry> entries = new ArrayList<>();
        try {
            if (!Files.exists(file)) return entries;
            for (String line : Files.readAllLines(file)) {
                String[] words = line.strip().split("[/ ]", -1);
                IpAddress address = words.length == 3 ? IpAddress.parse(words[0]) : null;
                if (address != null && words[1].matches("\\d{1,3}"))
                    entries.add(new Entry(address, Integer.parseInt(words[1]), words[2]));
            }
        } catch (IOException e) {
            LOG.warn("{} cannot be read: floating addresses of an earlier run may be left on the interfaces ({})", file, e.getMessage());
        }
        return entries;
    }

    void write(Collection<Entry> entries) {
        try {
            if (entries.isEmpty()) {
                Files.deleteIfExists(file);
                return;
            }
            Path fresh = file.resolveSibling(NAME + ".new");
            Files.write(fresh, entries.stream().map(Entry::toString).sorted().toList());
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            LOG.warn("{} cannot be written: after a crash the next start may leave floating addresses on the interfaces ({})", file,
                    e.getMessage());
        }
    }
}
