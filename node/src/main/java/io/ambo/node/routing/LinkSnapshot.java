package io.ambo.node.routing;

import java.util.List;

/**
 * The data interfaces and ports at one moment, made for quick looking up. Immutable.
 *
 * @param interfaces in the order of the config
 * @param ports      position is the port number
 */
record LinkSnapshot(List<DataInterface> interfaces, List<KernelNetwork.Port> ports) {
    LinkSnapshot {
        interfaces = List.copyOf(interfaces);
        ports = List.copyOf(ports);
    }

    /** The same as arrays, for the packet workers. */
    static final class Lookup {
        private final DataInterface[] interfaces;
        /** By port, then by VLAN id + 1. */
        private final DataInterface[][] ingress;

        Lookup(LinkSnapshot snapshot) {
            interfaces = snapshot.interfaces().toArray(new DataInterface[0]);
            ingress = new DataInterface[snapshot.ports().size()][];
            for (int port = 0; port < ingress.length; port++) {
                int highestVlan = -1;
                for (DataInterface one : interfaces) if (one.port() == port) highestVlan = Math.max(highestVlan, one.vlan());
                ingress[port] = new DataInterface[highestVlan + 2];
                java.util.Arrays.fill(ingress[port], DataInterface.NONE);
                for (DataInterface one : interfaces) if (one.port() == port && one.index() != 0) ingress[port][one.vlan() + 1] = one;
            }
        }

        DataInterface ingress(int port, int vlan) {
            if (port < 0 || port >= ingress.length) return DataInterface.NONE;
            DataInterface[] byVlan = ingress[port];
            return vlan < -1 || vlan + 1 >= byVlan.length ? DataInterface.NONE : byVlan[vlan + 1];
        }

        DataInterface inZone(int zone) {
            for (DataInterface one : interfaces) if (one.zone() == zone && one.index() != 0) return one;
            return DataInterface.NONE;
        }

        DataInterface at(int position) { return position < interfaces.length ? interfaces[position] : DataInterface.NONE; }

        /** The config's position of the interface with this index of the kernel, or -1. */
        int position(int index) {
            for (int i = 0; i < interfaces.length; i++) if (interfaces[i].index() == index) return i;
            return -1;
        }
    }
}
