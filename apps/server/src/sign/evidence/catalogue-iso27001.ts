/** ISO/IEC 27001:2022, Annex A. */
export const iso27001 = `
A.5.1 | Policies for information security are set, told and reviewed | policies
A.5.2 | Roles and duties of information security are given out
A.5.3 | Duties that conflict are kept apart | approvals
A.5.4 | Management asks everyone to keep to the policies
A.5.5 | Contact with authorities is kept
A.5.6 | Contact with special interest groups is kept
A.5.7 | Intelligence on threats is gathered and used
A.5.8 | Information security is part of projects
A.5.9 | Information and assets are listed with their owners
A.5.10 | Rules for the use of information and assets are set and followed | decisions
A.5.11 | Assets are given back when people leave
A.5.12 | Information is classified
A.5.13 | Information is labelled by its class
A.5.14 | Transfer of information has rules | outbound
A.5.15 | Access is controlled by rules of business and security | decisions
A.5.16 | Identities are managed over their whole life
A.5.17 | Secrets that authenticate are handed out and kept safely | keys
A.5.18 | Rights of access are given, reviewed, changed and taken away
A.5.19 | Risks of using suppliers are managed
A.5.20 | Security is part of agreements with suppliers
A.5.21 | Risks in the supply chain of technology are managed | tools
A.5.22 | Services of suppliers are watched and their changes managed | tools
A.5.23 | Cloud services are bought, used and left by rules
A.5.24 | Response to incidents is planned and prepared
A.5.25 | Events are judged for whether they are incidents | denials
A.5.26 | Incidents are responded to by the procedure | operators
A.5.27 | Incidents lead to stronger controls
A.5.28 | Evidence is identified, collected and kept | receipts
A.5.29 | Security holds during disruption
A.5.30 | Technology is ready for continuity of the business
A.5.31 | Duties by law, regulation and contract are known and met
A.5.32 | Intellectual property is protected
A.5.33 | Records are protected from loss, change and unauthorised release | receipts
A.5.34 | Privacy and personal data are protected as required | erasure
A.5.35 | Information security is reviewed independently | exports
A.5.36 | Compliance with policies and standards is reviewed | exports
A.5.37 | Operating procedures are written and at hand
A.6.1 | People are screened before they join and after
A.6.2 | Contracts state duties of security
A.6.3 | People are made aware and trained
A.6.4 | A disciplinary process exists and is known
A.6.5 | Duties that outlast employment are set
A.6.6 | Confidentiality agreements are signed and reviewed
A.6.7 | Work from afar is secured
A.6.8 | People can report events in time
A.7.1 | Perimeters protect areas with information
A.7.2 | Entry to secure areas is controlled
A.7.3 | Offices, rooms and facilities are secured
A.7.4 | Premises are watched for unauthorised entry
A.7.5 | Threats of nature and people to places are met
A.7.6 | Work in secure areas has measures
A.7.7 | Desks are clear and screens locked
A.7.8 | Equipment stands safely
A.7.9 | Assets off site are protected
A.7.10 | Storage media are managed over their life
A.7.11 | Equipment is protected from failing utilities
A.7.12 | Cables are protected
A.7.13 | Equipment is maintained
A.7.14 | Equipment is cleared before it is disposed of or used again
A.8.1 | Information on devices of users is protected
A.8.2 | Privileged access is limited and managed | approvals
A.8.3 | Access to information is restricted by policy | decisions
A.8.4 | Access to source code and tools is managed
A.8.5 | Authentication is secure and fits the restriction
A.8.6 | Use of resources is watched and adjusted to capacity
A.8.7 | Malware is guarded against
A.8.8 | Technical weaknesses are learnt of and dealt with
A.8.9 | Configurations are set, written, watched and reviewed | changes
A.8.10 | Information is deleted when it is not needed any more | erasure
A.8.11 | Data is masked by policy and law
A.8.12 | Leaks of data are prevented | outbound
A.8.13 | Backups are kept and tested
A.8.14 | Facilities are redundant enough for availability
A.8.15 | Logs of activities, faults and events are made, kept, protected and analysed | receipts
A.8.16 | Networks, systems and applications are watched for anomalies | denials
A.8.17 | Clocks are synchronised
A.8.18 | Utility programs that override controls are restricted | breakglass
A.8.19 | Software is installed on operational systems by procedure
A.8.20 | Networks are secured and managed
A.8.21 | Network services have security levels that are watched
A.8.22 | Networks are segregated
A.8.23 | Access to outside sites is filtered | denials
A.8.24 | Cryptography and its keys are used by rules | keys
A.8.25 | Software is developed by secure rules
A.8.26 | Applications have security requirements
A.8.27 | Systems follow secure principles of engineering
A.8.28 | Code is written securely
A.8.29 | Security is tested in development and acceptance
A.8.30 | Outsourced development is directed and reviewed
A.8.31 | Development, test and production are kept apart
A.8.32 | Changes go through change management | changes
A.8.33 | Test data is chosen, protected and managed
A.8.34 | Audit tests of operational systems are planned and agreed | exports
`;
