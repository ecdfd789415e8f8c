/** ISO/IEC 42001:2023, Annex A. */
export const iso42001 = `
A.2.2 | A policy for AI systems is written | policies
A.2.3 | The AI policy fits the organisation's other policies
A.2.4 | The AI policy is reviewed at planned times | policies
A.3.2 | Roles and duties for AI are defined
A.3.3 | Concerns about AI systems can be reported
A.4.2 | Resources of AI systems are documented
A.4.3 | Data that AI systems use is documented
A.4.4 | Tools that AI systems use are documented | tools
A.4.5 | Systems and computing of AI systems are documented
A.4.6 | People and their competences for AI systems are documented
A.5.2 | A process assesses the impact of AI systems
A.5.3 | Assessments of impact are documented and kept
A.5.4 | Impact on individuals and groups is assessed
A.5.5 | Impact on society is assessed
A.6.1.2 | Objectives for responsible development are set and followed
A.6.1.3 | Processes for responsible design and development are set
A.6.2.2 | Requirements of AI systems are specified
A.6.2.3 | Design and development are documented | changes
A.6.2.4 | AI systems are verified and validated
A.6.2.5 | Deployment follows a plan and its requirements | changes
A.6.2.6 | AI systems are operated and monitored | outcomes
A.6.2.7 | Technical documentation is given to those who need it
A.6.2.8 | Event logs of AI systems are recorded | agents
A.7.2 | Data for development is managed
A.7.3 | Acquisition of data is documented
A.7.4 | Data meets requirements of quality
A.7.5 | Provenance of data is recorded
A.7.6 | Preparation of data is chosen and documented
A.8.2 | Users are given what they need to know about the system
A.8.3 | Others can report harmful effects
A.8.4 | Incidents are told to users
A.8.5 | Duties to inform interested parties are met | exports
A.9.2 | Processes for responsible use are set | decisions
A.9.3 | Objectives for responsible use are set and followed | oversight
A.9.4 | AI systems are used as intended | denials
A.10.2 | Duties are shared out among partners and suppliers
A.10.3 | Suppliers' parts fit the approach to responsible AI | tools
A.10.4 | Needs of customers are part of the approach
`;
