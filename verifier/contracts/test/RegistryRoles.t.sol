// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Registry} from "../src/Registry.sol";
import {ICohortVerifier} from "../src/interfaces/ICohortVerifier.sol";
import {KeyKind} from "../src/interfaces/IRegistry.sol";
import {DatasetRegistration} from "../src/registry/DatasetRegister.sol";
import {Role} from "../src/registry/Roles.sol";
import {Vm} from "./Vm.sol";

/// @title Who may do what: forge tries it, halmos shows it for all callers and arguments
/// @notice The administrator is an account, its roles were all taken from it, and payer 1 belongs to another account.
/// `assert` and nothing else is a failure to halmos: a path on which `require` fails counts as one that was not asked for.
contract RegistryRolesTest {
    Vm private constant VM = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    address private constant ADMIN = address(0xad);
    address private constant OWNER = address(0xacce);

    Registry private _registry;

    function setUp() public {
        _registry = new Registry(ADMIN, bytes32(uint256(1)), 1, 1 days, 1 days, 1 days, 30 days);
        VM.prank(ADMIN);
        _registry.addPayer(1, OWNER);
        for (uint8 role; role <= uint8(type(Role).max); ++role) {
            VM.prank(ADMIN);
            _registry.setRole(Role(role), ADMIN, false);
        }
    }

    /// Only the administrator grants, offers, ends a pause and binds: not even who holds every role.
    function testFuzz_onlyTheAdministratorAdministers(address caller, uint8 role, address account, bool held)
        external
    {
        if (caller == ADMIN || caller == address(0)) return;
        role %= uint8(type(Role).max) + 1;
        for (uint8 all; all <= uint8(type(Role).max); ++all) {
            VM.prank(ADMIN);
            _registry.setRole(Role(all), caller, true);
        }
        bytes[5] memory calls = [
            abi.encodeCall(_registry.setRole, (Role(role), account, held)),
            abi.encodeCall(_registry.offerAdmin, (account)),
            abi.encodeCall(_registry.unpause, ()),
            abi.encodeCall(_registry.bindSettlement, (account)),
            abi.encodeCall(_registry.acceptAdmin, ())
        ];
        for (uint256 i; i < calls.length; ++i) _refuses(caller, calls[i]);
        assert(_registry.admin() == ADMIN && _registry.pendingAdmin() == address(0));
    }

    /// A role is asked for: without it nobody does what it is for, the administrator included.
    function testFuzz_nobodyWithoutTheRoleDoesWhatItIsFor(address caller, address other, bytes32 word, uint96 payer)
        external
    {
        // Nothing is offered to the zero address, a table that nobody registered has it for a sponsor, and nobody calls from it.
        if (caller == address(0)) return;
        DatasetRegistration memory given;
        uint256[2] memory point;
        bytes[12] memory calls = [
            abi.encodeCall(_registry.pause, ()),
            abi.encodeCall(_registry.setPayerPaused, (payer, word == 0)),
            abi.encodeCall(_registry.addPayer, (payer, other)),
            abi.encodeCall(_registry.setAuthority, (other, word == 0)),
            abi.encodeCall(_registry.registerKey, (word, KeyKind.Production, other)),
            abi.encodeCall(_registry.disableKey, (word)),
            abi.encodeCall(_registry.registerCohortKey, (word, KeyKind.Production, ICohortVerifier(other), word)),
            abi.encodeCall(_registry.disableCohortKey, (word)),
            abi.encodeCall(_registry.registerDataset, (given)),
            abi.encodeCall(_registry.confirmDatasetConsents, (word, 1, point)),
            abi.encodeCall(_registry.publishDatasetConsents, (word, 1, point)),
            abi.encodeCall(_registry.publishConsentRoot, (word, type(uint64).max))
        ];
        for (uint256 i; i < calls.length; ++i) _refuses(caller, calls[i]);
        assert(!_registry.paused() && !_registry.payerPaused(1) && _registry.payerOwner(1) == OWNER);
    }

    /// Nobody but its owner speaks for a payer, and it changes hands only when its owner offered it.
    function testFuzz_onlyTheOwnerSpeaksForAPayer(address caller, address other, bytes32 root) external {
        if (caller == OWNER || caller == address(0)) return;
        bytes[4] memory calls = [
            abi.encodeCall(_registry.publishEpoch, (1, root)),
            abi.encodeCall(_registry.publishAccountRoot, (1, root)),
            abi.encodeCall(_registry.offerPayer, (1, other)),
            abi.encodeCall(_registry.acceptPayer, (1))
        ];
        for (uint256 i; i < calls.length; ++i) _refuses(caller, calls[i]);
        assert(_registry.payerOwner(1) == OWNER && _registry.newestEpoch(1) == 0);
    }

    function _refuses(address caller, bytes memory data) private {
        VM.prank(caller);
        (bool success,) = address(_registry).call(data);
        assert(!success);
    }
}
