// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {CohortLog} from "../src/CohortLog.sol";
import {CohortAnswer, ICohortVerifier} from "../src/interfaces/ICohortVerifier.sol";
import {KeyKind} from "../src/interfaces/IRegistry.sol";
import {CohortKeyRegister} from "../src/registry/CohortKeyRegister.sol";
import {Vm} from "./Vm.sol";

/// @title The log under noise: a proven answer is logged once under each version of the consents, and nothing near it is
/// @notice Table and answers come from `fixtures/cohort.json`, which a Rust test makes and keeps current. What is deployed is what is
/// published: the bytecode in `build`.
contract CohortLogTest {
    Vm private constant VM = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    /// @dev The most that a transaction may have: a precompile that refuses a point burns all but a 64th of it.
    uint256 private constant GAS = 1 << 24;

    address private _registry;
    address private _sponsor;
    CohortLog private _log;
    bytes32 private _query;
    address private _registrar;
    bytes private _publication;
    bytes private _confirmation;
    bytes private _encoded;
    bytes private _newer;

    function setUp() external {
        string memory fixture = VM.readFile("test/fixtures/cohort.json");
        address deployer = VM.parseJsonAddress(fixture, ".deployer");
        bytes memory code = bytes.concat(_code("Registry"), VM.parseJsonBytes(fixture, ".registryArguments"));
        _registry = _create(deployer, code);
        address halo2 = _create(deployer, _code("NarrowVerifier14"));
        bytes memory setup = bytes.concat(abi.encode(14, halo2), VM.parseJsonBytes(fixture, ".setup"));
        address verifier = _create(deployer, bytes.concat(_code("CohortVerifier"), setup));
        bytes32 key = VM.parseJsonBytes32(fixture, ".key");
        VM.prank(deployer);
        CohortKeyRegister(_registry).registerCohortKey(
            key, KeyKind.Development, ICohortVerifier(verifier), verifier.codehash
        );
        _send(deployer, VM.parseJsonBytes(fixture, ".registration"));
        code = bytes.concat(_code("CohortLog"), abi.encode(_registry));
        _log = CohortLog(_create(VM.parseJsonAddress(fixture, ".logger"), code));
        require(address(_log) == VM.parseJsonAddress(fixture, ".log"), "the log is not where the proofs are for");

        _sponsor = VM.parseJsonAddress(fixture, ".sponsor");
        _registrar = deployer;
        _publication = VM.parseJsonBytes(fixture, ".publication");
        _confirmation = VM.parseJsonBytes(fixture, ".confirmation");
        _encoded = VM.parseJsonBytes(fixture, ".answer");
        _newer = VM.parseJsonBytes(fixture, ".newer");
        CohortAnswer memory answer = _answer();
        _query = keccak256(abi.encodePacked(keccak256("nightingale.cohort.query.1"), answer.table, answer.query));
    }

    function test_theUnchangedAnswerIsLogged() external {
        require(_try(_answer()).length == 0 && _log.answered(_query) == 1, "refused");
    }

    /// Any change of any word that an answer consists of is refused, by the error that says what is wrong.
    function testFuzz_aChangedWordIsRefused(uint8 part, uint256 where, uint256 change) external {
        if (change == 0) return;
        CohortAnswer memory answer = _answer();
        part %= 9;
        bytes4 refusal;
        bytes4 other;
        if (part == 0) (answer.key, refusal) = (answer.key ^ bytes32(change), CohortLog.KeyNotUsable.selector);
        if (part == 1) (answer.table, refusal) = (answer.table ^ bytes32(change), CohortLog.QueryNotPlanned.selector);
        if (part == 2) {
            answer.query[where % answer.query.length] ^= change;
            refusal = CohortLog.QueryNotPlanned.selector;
        }
        if (part == 3) (answer.threshold, refusal) = (answer.threshold ^ change, CohortLog.ThresholdDiffers.selector);
        if (part == 4) (answer.version, refusal) = (answer.version ^ change, CohortLog.ConsentNotNewest.selector);
        if (part == 5) {
            answer.consent[where % 2] ^= change;
            refusal = CohortLog.ConsentNotNewest.selector;
        }
        if (part == 6) {
            answer.columns[where % 10] ^= change;
            refusal = CohortLog.ColumnsDiffer.selector;
        }
        if (part == 7) {
            answer.cells[where % answer.cells.length] ^= change;
            (refusal, other) = (ICohortVerifier.ProofRejected.selector, ICohortVerifier.CellNotInField.selector);
        }
        if (part == 8) {
            answer.link[where % 10] ^= change;
            (refusal, other) = (ICohortVerifier.LinkRejected.selector, ICohortVerifier.ResponseNotInField.selector);
        }
        _requireRefused(answer, refusal, other);
    }

    /// Any change of any byte of the proof is refused.
    function testFuzz_aChangedByteOfTheProofIsRefused(uint256 where, uint8 change) external {
        if (change == 0) return;
        CohortAnswer memory answer = _answer();
        where %= answer.proof.length;
        answer.proof[where] = bytes1(uint8(answer.proof[where]) ^ change);
        _requireRefused(answer, ICohortVerifier.ProofRejected.selector, 0);
    }

    /// A query, a list of cells or a proof of another length is another, but for cells that are 0 and not sent.
    function testFuzz_anotherLengthIsRefused(uint8 part, uint8 length, uint256 word) external {
        CohortAnswer memory answer = _answer();
        part %= 3;
        if (part == 0) {
            if (length % 16 == answer.query.length) return;
            answer.query = _resized(answer.query, length % 16, word);
            _requireRefused(answer, CohortLog.QueryNotPlanned.selector, 0);
        } else if (part == 1) {
            uint256 cells = length % 20;
            uint256 before = answer.cells.length;
            bool lost = cells < before && _anyFrom(answer.cells, cells);
            if (!lost && (cells <= before || word == 0) && cells <= 16) return;
            answer.cells = _resized(answer.cells, cells, word);
            bytes4 other = cells > 16 ? ICohortVerifier.TooManyCells.selector : ICohortVerifier.CellNotInField.selector;
            _requireRefused(answer, ICohortVerifier.ProofRejected.selector, other);
        } else {
            uint256 cut = 1 + length % answer.proof.length;
            bytes memory proof = answer.proof;
            if (word % 2 == 0) {
                answer.proof = bytes.concat(proof, new bytes(cut));
            } else {
                assembly ("memory-safe") {
                    mstore(proof, sub(mload(proof), cut))
                }
            }
            _requireRefused(answer, ICohortVerifier.ProofLength.selector, 0);
        }
    }

    /// Whatever byte of the calldata is changed, offsets and lengths among them, nothing is logged.
    function testFuzz_aChangedByteOfTheCalldataLogsNothing(uint256 where, uint8 change) external {
        if (change == 0) return;
        bytes memory data = abi.encodeCall(CohortLog.log, (_answer()));
        where %= data.length;
        data[where] = bytes1(uint8(data[where]) ^ change);
        (bool logged,) = address(_log).call{gas: GAS}(data);
        require(!logged && _log.answered(_query) == 0, "logged");
    }

    /// In whatever order answers are sent, consents published and confirmed: each answer is logged once, while its consents are the newest, and
    /// confirmed.
    function testFuzz_aReplayIsRefused(uint8[8] calldata steps) external {
        CohortAnswer[2] memory answers = [_answer(), abi.decode(_newer, (CohortAnswer))];
        uint256 newest;
        bool confirmed;
        bool[2] memory logged;
        for (uint256 i; i < steps.length; ++i) {
            uint256 step = steps[i] % 4;
            if (step == 2) {
                if (newest == 0) _send(_sponsor, _publication);
                newest = 1;
                continue;
            }
            if (step == 3) {
                if (newest == 1 && !confirmed) {
                    _send(_registrar, _confirmation);
                    confirmed = true;
                }
                continue;
            }
            bytes memory refusal = _try(answers[step]);
            if (step != newest) {
                require(bytes4(refusal) == CohortLog.ConsentNotNewest.selector, "not under the newest consents");
            } else if (step == 1 && !confirmed) {
                require(bytes4(refusal) == CohortLog.ConsentUnconfirmed.selector, "not confirmed");
            } else if (logged[step]) {
                require(bytes4(refusal) == CohortLog.AlreadyAnswered.selector, "logged again");
            } else {
                require(refusal.length == 0, "refused");
                logged[step] = true;
            }
            require(_log.answered(_query) == (logged[1] ? 2 : logged[0] ? 1 : 0), "another version");
        }
    }

    function _answer() private view returns (CohortAnswer memory) {
        return abi.decode(_encoded, (CohortAnswer));
    }

    function _requireRefused(CohortAnswer memory answer, bytes4 refusal, bytes4 other) private {
        bytes4 found = bytes4(_try(answer));
        require(found != 0 && (found == refusal || found == other), "logged, or refused for another reason");
        require(_log.answered(_query) == 0, "logged");
    }

    /// @dev The reason of a refusal; none when it was logged.
    function _try(CohortAnswer memory answer) private returns (bytes memory) {
        (bool logged, bytes memory refusal) = address(_log).call{gas: GAS}(abi.encodeCall(CohortLog.log, (answer)));
        require(logged == (refusal.length == 0), "refused without a reason");
        return refusal;
    }

    function _resized(uint256[] memory words, uint256 length, uint256 last) private pure returns (uint256[] memory other) {
        other = new uint256[](length);
        for (uint256 i; i < length; ++i) other[i] = i < words.length ? words[i] : last;
    }

    function _anyFrom(uint256[] memory words, uint256 start) private pure returns (bool any) {
        for (uint256 i = start; i < words.length; ++i) any = any || words[i] != 0;
    }

    function _code(string memory name) private view returns (bytes memory) {
        return VM.parseJsonBytes(VM.readFile(string.concat("build/", name, ".json")), ".bytecode");
    }

    function _create(address from, bytes memory code) private returns (address created) {
        VM.prank(from);
        assembly ("memory-safe") {
            created := create(0, add(code, 0x20), mload(code))
        }
        require(created != address(0), "not created");
    }

    function _send(address from, bytes memory data) private {
        VM.prank(from);
        (bool success,) = _registry.call(data);
        require(success, "the registry refuses");
    }
}
